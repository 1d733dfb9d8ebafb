"""A real Prometheus that scrapes real node_exporters, each over a simulated machine.

The server looks for targets only 5 s after its start, so that tests share one.
"""

import json
import socket
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from rig import debian
from rig.fixtures import LiveTree

HERE = Path(__file__).parent
SCRAPE_S = 0.2
_ENOUGH = 10  # scrapes of each target


def missing(*others):
    """Say what is not here, or nothing."""
    needed = ("prometheus", "prometheus-node-exporter", *others)
    return " and no ".join(name for name in needed if debian.program(name) is None)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(*words):
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def live_tree(layout):
    """A machine that another process refreshes from the real clock."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        command = [sys.executable, HERE / "plain.py", folder, layout, "0.004"]
        with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == "ready\n"
            yield LiveTree(Path(folder), writer)
            writer.stdin.close()


class Target:
    """A machine and its node_exporter; `selector` picks it."""

    def __init__(self, tree, address):
        self.tree = tree
        self.address = address
        self.selector = f'instance="{address}"'


@contextmanager
def target(layout, *options):
    address = f"127.0.0.1:{free_port()}"
    with live_tree(layout) as tree:
        only_rapl = ("--collector.disable-defaults", "--collector.rapl", "--web.disable-exporter-metrics")
        words = (f"--path.sysfs={tree.root}", *only_rapl, f"--web.listen-address={address}", *options)
        with started(debian.program("prometheus-node-exporter"), *words):
            yield Target(tree, address)


class Program:
    """A program that answers on a port of this machine."""

    def __init__(self, address, process):
        self.address = address
        self.url = f"http://{address}"
        self.process = process

    def page(self, path):
        """What it answers, as soon as it does."""
        while True:
            with suppress(OSError), urllib.request.urlopen(self.url + path) as answer:
                return answer.read().decode()
            with suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"it ended with {self.process.wait(0.05)}")


@contextmanager
def textfile_exporter(folder):
    """A node_exporter that reads the files of a folder, and nothing of this machine."""
    address = f"127.0.0.1:{free_port()}"
    only = ("--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={folder}")
    words = (*only, "--web.disable-exporter-metrics", f"--web.listen-address={address}")
    with started(debian.program("prometheus-node-exporter"), *words) as process:
        yield Program(address, process)


@contextmanager
def pushgateway():
    """A Pushgateway that keeps what it is given in memory."""
    address = f"127.0.0.1:{free_port()}"
    with started(debian.program("prometheus-pushgateway"), f"--web.listen-address={address}") as process:
        yield Program(address, process)


class Server:
    def __init__(self, url, process, targets):
        self.url = url
        self.process = process
        self._targets = targets

    def wait(self, enough=_ENOUGH):
        """Until it has scraped each target often enough."""
        while not self._has_scraped(enough):
            with suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"the server ended with {self.process.wait(0.1)}")

    def _has_scraped(self, enough):
        try:
            return len(self.query(f"sum_over_time(up[1m]) >= {enough}")) == len(self._targets)
        except OSError:  # it is not up yet
            return False

    def query(self, query):
        """What it answers, as its API gives it."""
        return self.ask("query", query=query)["result"]

    def ask(self, path, **parameters):
        """What a path of its API answers."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}") as answer:
            return json.load(answer)["data"]


@contextmanager
def server(folder, targets, *, honor_labels=False):
    """Start a server. What is scraped may name its own job and instance with `honor_labels`, as pushed metrics do."""
    address = f"127.0.0.1:{free_port()}"
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": f"{SCRAPE_S * 1000:.0f}ms", "scrape_timeout": f"{SCRAPE_S * 1000:.0f}ms"},
                "scrape_configs": [
                    {
                        "job_name": "node",
                        "honor_labels": honor_labels,
                        "static_configs": [{"targets": [target.address for target in targets]}],
                    }
                ],
            }
        )
    )
    words = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
    command = (debian.program("prometheus"), *words, f"--web.listen-address={address}", "--log.level=error")
    with started(*command) as process:
        yield Server(f"http://{address}", process, targets)
