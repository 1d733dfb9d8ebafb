"""A Prometheus server of the fake clock: it has scraped each series whenever a scrape was due."""

import json
import math
import re

import httpx


class FakePrometheus:
    """Its series are functions of the server's seconds; `ahead_s` is by how much its clock is ahead of the machine's.

    Attributes
    ----------
    energies : dict
        From the series' labels as `name k=v k=v` to what it shows at a second; None where a scrape fails.
    answers : dict
        By a part of the query, what is answered instead: `(status, text)`.
    asked : list of httpx.Request
    """

    START_S = 1.8e9

    def __init__(self, clock, energies, *, scrape_s=1.0, phase_s=0.25, ahead_s=0.0):
        self.clock = clock
        self.energies = energies
        self.scrape_s = scrape_s
        self.phase_s = phase_s
        self.ahead_s = ahead_s
        self.answers = {}
        self.asked = []
        self.transport = httpx.MockTransport(self._answer)

    def wall_s(self):
        return self.START_S + self.clock.now_s

    def now_s(self):
        return self.wall_s() + self.ahead_s

    def _answer(self, request):
        self.asked.append(request)
        query = request.url.params["query"]
        for part, (status, text) in self.answers.items():
            if part in query:
                return httpx.Response(status, text=text)
        if query == "time()":
            return self._success("scalar", [round(self.now_s(), 3), str(self.now_s())])
        if span := re.search(r"\[(\d+)s\]$", query):
            until_s = float(request.url.params["time"])
            found = [
                {"metric": _labels(name), "values": self._scraped(name, until_s - int(span[1]), until_s)}
                for name in self.energies
            ]
            return self._success("matrix", [each for each in found if each["values"]])
        return self._success("vector", [{"metric": _labels(name), "value": [0, "0"]} for name in self.energies])

    def _scraped(self, name, after_s, until_s):
        first = math.floor((after_s - self.phase_s) / self.scrape_s) + 1
        last = math.floor((until_s - self.phase_s) / self.scrape_s)
        at_s = [n * self.scrape_s + self.phase_s for n in range(first, last + 1)]
        shown = [(t, self.energies[name](t - self.START_S - self.ahead_s)) for t in at_s]
        return [[round(t, 3), str(value)] for t, value in shown if value is not None]

    @staticmethod
    def _success(kind, result):
        return httpx.Response(200, json={"status": "success", "data": {"resultType": kind, "result": result}})


def _labels(name):
    metric, *labels = name.split()
    return {"__name__": metric, "instance": "runner-7:9100", "job": "node"} | dict(
        label.split("=", 1) for label in labels
    )


def failure(status, error):
    return status, json.dumps({"status": "error", "errorType": "bad_data", "error": error})
