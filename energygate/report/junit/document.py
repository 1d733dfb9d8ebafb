"""The whole document: one suite, with what holds for every benchmark, and one test case for each benchmark."""

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, count
from typing import Final
from xml.etree import ElementTree as ET

from energygate.model import GateReport, Row
from energygate.report.failing import failing, unexplained
from energygate.report.junit.case import CLASS, FAILURE, SKIPPED, a_case
from energygate.report.junit.parts import legal, not_passed, properties, time
from energygate.report.rows import provenance

_RUN_ID: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{10}")


def render_junit(report: GateReport) -> bytes:
    """Render the document, worst first."""
    seconds = _seconds(report)
    cases = [*_unexplained(report), *_cases(report, seconds)]
    states = {"failures": FAILURE, "errors": "error", "skipped": SKIPPED}
    counts = {name: sum(case.find(state) is not None for case in cases) for name, state in states.items()}
    shared = {"name": CLASS} | {name: str(n) for name, n in ({"tests": len(cases)} | counts).items()}
    shared |= time(sum(seconds.values()) if seconds else None)
    root = ET.Element("testsuites", shared)
    suite = ET.SubElement(root, "testsuite", shared | _when_and_where(report))
    suite.append(properties(_of_the_whole(report)))
    suite.extend(cases)
    if report.warnings:
        ET.SubElement(suite, "system-err").text = "\n".join(map(legal, report.warnings))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _unexplained(report: GateReport) -> Iterator[ET.Element]:
    """Give a test case for a failure that no benchmark stands for; without it the document would look like a pass."""
    if sentence := unexplained(report):
        case = ET.Element("testcase", {"classname": CLASS, "name": "verdict"})
        not_passed(case, FAILURE, kind="failed", message=sentence, text=sentence)
        yield case


def _cases(report: GateReport, seconds: Mapping[str, float]) -> Iterator[ET.Element]:
    benchmarks: dict[str, list[Row]] = {}
    for row in report.comparisons:
        benchmarks.setdefault(row.benchmark, []).append(row)
    fails, taken = failing(report), set[str]()
    for benchmark, rows in benchmarks.items():
        name = _another(legal(benchmark) or "(empty)", taken)
        taken.add(name)
        yield a_case(report, rows, fails, name=name, seconds=seconds.get(benchmark))


def _another(name: str, taken: Collection[str]) -> str:
    """Give a name that no test case has yet: of those with one name GitLab keeps the first alone."""
    numbered = (f"{name} ({number})" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def _seconds(report: GateReport) -> dict[str, float]:
    """Give how long the trials of each benchmark took in this job, those of both sides, where that is known."""
    took: dict[str, float] = {}
    for each in report.evidence:
        sides = [side for side in (each.head, *(each.turns or ())) if side is not None]
        if sides:
            took[each.benchmark] = sum(point.duration_s for side in sides for point in side.points)
    return took


def _when_and_where(report: GateReport) -> dict[str, str]:
    """Give when the run began, if its id says so, and on which machine."""
    parts = _RUN_ID.fullmatch(report.head.run_id)
    when = {"timestamp": "{}-{}-{}T{}:{}:{}+00:00".format(*parts.groups())} if parts else {}
    return when | {"hostname": legal(report.machine.label)}


def _of_the_whole(report: GateReport) -> Iterator[tuple[str, str]]:
    """Give what holds for every benchmark; what is unknown has no property."""
    policy = report.policy
    yield "verdict", report.verdict
    yield "exit_code", str(report.exit_code)
    yield "run_id", report.head.run_id
    if report.head.commit is not None:
        yield "commit", report.head.commit
    yield "machine", report.machine.fingerprint
    yield "meters", provenance(report.meters)
    yield "budget", repr(policy.budget)
    yield "min_effect", repr(policy.min_effect)
    yield "false_alarms", repr(policy.false_alarms)
    yield "adjust", policy.adjust
    yield "fail_on", ",".join(policy.fail_on)
