"""What can be measured here, and what is to be mended: one screen, or one JSON document.

Text is wrapped at 80 columns, or those of a narrower window; what is to be typed is not, so that it can be copied, and
the table of meters neither. Settings are called as `energygate.yml` calls them, because the shells spell them
differently.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rich.text import Text

from energygate.meters.base import Domain
from energygate.meters.diagnosis import Accuracy, Diagnosis, Finding, Probe
from energygate.report.terminal import to_text
from energygate.units import format_percent, format_quantity
from energygate.workloads.text import printable

_WIDTH: Final = 80
_INDENT: Final = " " * 12
_FIX_INDENT: Final = " " * 4
_SHORT_FIX: Final = 4  # lines; longer ones go last
_LONGEST: Final = 700
_COMMAND: Final = re.compile("`[^`]*`")
_LEAST: Final = 20  # narrower, a sentence is a column of single words
_HELD: Final = "\N{NO-BREAK SPACE}"  # a command stays on one line, so that it can be copied
_COLUMNS: Final = "{:12}{:{}}{:10}{:11}{:10}{:10}{}"
_NARROWEST: Final = 13
_LONGEST_NAME: Final = 40
_OPTION: Final = re.compile(r"`?--energy-(?P<name>[a-z-]+)(?:=(?P<value>[\w:/.,-]*\w))?`?")
_LEGEND: Final = (
    "edge error: what refreshes alone make of one trial of that length (standard deviation; <: at most, as the meter "
    "waits for them; a GPU's is always too much). See docs/measuring.md."
)
_ALLOWED: Final = "because of `allow_estimates: true`"
_UNLESS_ALLOWED: Final = "only with `allow_estimates: true`"
_DOUBT: Final = {"integrated": "sums up power readings", "estimate": "estimates"}


@dataclass(frozen=True, slots=True)
class _Mend:
    """One thing to do, and all that it mends."""

    findings: tuple[tuple[str, Finding], ...]

    @property
    def fix(self) -> str:
        return self.findings[0][1].fix

    @property
    def is_long(self) -> bool:
        return len(self.fix.splitlines()) > _SHORT_FIX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paragraph:
    """Words that are wrapped, with what stands before the first line and before those that follow."""

    text: str
    first: str
    later: str
    style: str = ""

    def lines(self, width: int) -> Iterator[Text]:
        wrapped: Iterable[str] = textwrap.wrap(
            _COMMAND.sub(lambda found: found[0].replace(" ", _HELD), self.text),
            width=max(width, len(self.later) + _LEAST),
            initial_indent=self.first,
            subsequent_indent=self.later,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return (Text(line.replace(_HELD, " "), style=self.style) for line in wrapped)


_Part = Text | _Paragraph


def render_doctor(diagnosis: Diagnosis, *, color: bool, width: int | None = None) -> str:
    """Render it as text, ANSI-coloured if `color`. The last paragraph is the conclusion.

    Parameters
    ----------
    width : int or None
        Of the window; None where nobody knows it.
    """
    columns = min(width or _WIDTH, _WIDTH)
    parts = _parts(_in_settings(diagnosis))
    lines = (line for part in parts for line in ([part] if isinstance(part, Text) else part.lines(columns)))
    return to_text(lines, color=color)


def doctor_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Give the same for JSON.

    The machine is that without meters and GPUs, as a calibration names it: no run has its fingerprint.
    """
    diagnosis = _in_settings(diagnosis)
    machine = diagnosis.machine
    return {
        "usable": diagnosis.can_gate,
        "conclusion": conclusion(diagnosis),
        "machine": {
            "hardware_fingerprint": machine.fingerprint,
            "label": machine.label,
            "hard": machine.hard,
            "soft": machine.soft,
        },
        "surroundings": {
            "virtual_machine": diagnosis.virtual_machine,
            "container": diagnosis.container,
            "clock": diagnosis.clock,
            "load_average": diagnosis.load_average,
            **diagnosis.load,
        },
        "meters": [_meter_document(found, accuracy) for found, accuracy in diagnosis.meters],
        "estimate": diagnosis.estimate,
        "findings": [_finding_document(finding) for finding in diagnosis.findings],
    }


def _meter_document(found: Probe, accuracy: Accuracy | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": found.kind,
        "usable": found.usable,
        "domains": [_domain_document(domain, found.power_w) for domain in found.domains],
        "trial_s": accuracy.trial_s if accuracy else None,
        "edge_error": accuracy.edge_error if accuracy else None,
        "notes": list(found.notes),
        "refusal": _finding_document(found.refusal) if found.refusal else None,
        "absent": found.absent or None,
    }


def _domain_document(domain: Domain, power_w: Mapping[str, float]) -> dict[str, Any]:
    return {
        "name": domain.name,
        "part": domain.part,
        "update_interval_s": domain.update_interval_s,
        "resolution_j": domain.resolution_j,
        "shortest_window_s": domain.shortest_window_s,
        "power_w": power_w.get(domain.name),
        "detail": domain.detail,
    }


def _finding_document(finding: Finding) -> dict[str, str]:
    return {"what": finding.what, "why": finding.why, "fix": finding.fix}


def _in_settings(diagnosis: Diagnosis) -> Diagnosis:
    """Spell what meters and rules advise as settings."""
    return replace(
        diagnosis,
        meters=tuple(
            (
                replace(
                    found,
                    notes=tuple(_as_setting(note) for note in found.notes),
                    refusal=_finding_in_settings(found.refusal) if found.refusal else None,
                ),
                accuracy,
            )
            for found, accuracy in diagnosis.meters
        ),
        findings=tuple(_finding_in_settings(finding) for finding in diagnosis.findings),
    )


def _finding_in_settings(finding: Finding) -> Finding:
    return replace(finding, what=_as_setting(finding.what), why=_as_setting(finding.why), fix=_as_setting(finding.fix))


def _as_setting(text: str) -> str:
    """Write `--energy-meters=rapl,nvml` as `meters: [rapl, nvml]`."""

    def spelt(option: re.Match[str]) -> str:
        name, value = option["name"].replace("-", "_"), option["value"]
        if name == "meters" and value:
            value = f"[{value.replace(',', ', ')}]"
        flag = "true" if name == "allow_estimates" else ""
        return f"`{name}: {value or flag}".rstrip() + "`"

    return _OPTION.sub(spelt, text)


def _parts(diagnosis: Diagnosis) -> Iterator[_Part]:
    mends = _mends(diagnosis)
    numbers = {id(finding): i for i, mend in enumerate(mends, start=1) for _, finding in mend.findings}
    yield Text(_summary(diagnosis, len(mends)), style="bold")
    yield Text()
    yield from _machine(diagnosis)
    yield Text()
    yield from _table(diagnosis, numbers)
    for number, mend in enumerate(mends, start=1):
        yield Text()
        yield from _mending(number, mend)
    yield Text()
    style = "bold green" if diagnosis.can_gate else "bold red"
    yield _Paragraph(text=conclusion(diagnosis), first="", later="", style=style)


def _summary(diagnosis: Diagnosis, mends: int) -> str:
    counters = [found for found, _ in diagnosis.meters if found.kind in {"counter", "scraped"} and not found.absent]
    usable = f"{len(diagnosis.decides)} of {len(counters)} hardware counters usable"
    return f"energygate doctor: {usable}, {mends or 'nothing'} to mend"


def _machine(diagnosis: Diagnosis) -> Iterator[_Part]:
    where = f"virtual machine ({diagnosis.virtual_machine})" if diagnosis.virtual_machine else "bare metal"
    container = f", container ({diagnosis.container})" if diagnosis.container else ""
    yield _wrapped("machine", f"{diagnosis.machine.label}, {where}{container}")
    yield _wrapped("clock", diagnosis.clock)
    yield _wrapped("load", _load(diagnosis))


def _load(diagnosis: Diagnosis) -> str:
    average = "unknown" if diagnosis.load_average is None else f"{diagnosis.load_average:.3g}"
    words = {"foreign": "other processes", "pressure": "waiting for a processor", "steal": "taken by the hypervisor"}
    shares = [
        f"{words[name]} {'unknown' if share is None else format_percent(round(share, 3))}"
        for name, share in diagnosis.load.items()
    ]
    return f"{', '.join(shares)}; load average {average}"


def _table(diagnosis: Diagnosis, numbers: Mapping[int, int]) -> Iterator[_Part]:
    names = [domain.name for found, accuracy in diagnosis.meters if accuracy for domain in found.domains]
    width = max([_NARROWEST, *(min(len(name), _LONGEST_NAME) + 2 for name in names)])
    if any(found.usable for found, _ in diagnosis.meters):
        heads = ("domain", width, "now", "refreshed", "step", "trial", "edge error")
        yield Text(_COLUMNS.format("meter", *heads), style="dim")
    for found, accuracy in diagnosis.meters:
        if found.absent:
            yield _wrapped(found.name, found.absent, style="dim")
        elif found.refusal is not None:
            reason = f"not usable [{numbers[id(found.refusal)]}]: {printable(found.refusal.what, limit=_LONGEST)}"
            yield _wrapped(found.name, reason, style="red")
        elif accuracy is not None:
            yield from _rows(found, accuracy, width=width, leave=_leave(diagnosis))
        for note in found.notes:
            yield _wrapped("", f"note: {printable(note, limit=_LONGEST)}")
    yield _wrapped("estimate", _estimate(diagnosis))
    if any(accuracy for _, accuracy in diagnosis.meters):
        yield Text()
        yield _Paragraph(text=_LEGEND, first="", later="", style="dim")


def _rows(found: Probe, accuracy: Accuracy, *, width: int, leave: str) -> Iterator[_Part]:
    error = f"{'< ' if accuracy.at_most else ''}{accuracy.edge_error * 100:.2g} %"
    for index, domain in enumerate(found.domains):
        first = index == 0
        power_w = found.power_w.get(domain.name)
        yield Text(
            _COLUMNS.format(
                found.name if first else "",
                printable(domain.name, limit=_LONGEST_NAME),
                width,
                "not read" if power_w is None else format_quantity(power_w, "W"),
                format_quantity(domain.update_interval_s, "s"),
                format_quantity(domain.resolution_j, "J"),
                format_quantity(accuracy.trial_s, "s") if first else "",
                error if first else "",
            ).rstrip()
        )
    if found.kind == "integrated":
        yield _wrapped("", f"integrated power: decides {leave}")
    if found.kind == "estimate":
        yield _wrapped("", f"an estimate by another tool, for comparison; decides {leave}")
    details = ", ".join(f"{domain.name} {domain.detail}" for domain in found.domains if domain.detail)
    if details:
        yield _wrapped("", f"reads {printable(details, limit=_LONGEST)}", style="dim")


def _estimate(diagnosis: Diagnosis) -> str:
    rapl = any(found.name == "rapl" and found.usable for found, _ in diagnosis.meters)
    how = " (`energygate doctor --calibrate` mends that)" if rapl and "unknown" in diagnosis.estimate else ""
    return f"{diagnosis.estimate}{how}; decides {_leave(diagnosis)}"


def _leave(diagnosis: Diagnosis) -> str:
    """By what leave numbers that are no measurement decide."""
    return _ALLOWED if diagnosis.allows_estimates else _UNLESS_ALLOWED


def _mends(diagnosis: Diagnosis) -> list[_Mend]:
    """What to do, each once: what blocks first; then short commands, and whole files last."""
    refusals = [(found.name, found.refusal) for found, _ in diagnosis.meters if found.refusal is not None]
    everything = [*refusals, *(("", finding) for finding in diagnosis.findings)]
    keys = dict.fromkeys(finding.fix or finding.what for _, finding in everything)
    mends = [_Mend(tuple(each for each in everything if (each[1].fix or each[1].what) == key)) for key in keys]
    return sorted(mends, key=lambda mend: (not _blocks(mend, diagnosis), mend.is_long))


def _blocks(mend: _Mend, diagnosis: Diagnosis) -> bool:
    """Whether a run, as configured, measures nothing or stops as long as this is not done."""
    return any(
        finding.blocks or (bool(name) and not diagnosis.can_gate and diagnosis.would_open(name))
        for name, finding in mend.findings
    )


def _mending(number: int, mend: _Mend) -> Iterator[_Part]:
    sentences = dict.fromkeys(
        sentence
        for name, finding in mend.findings
        # What is wrong with a meter stands in the table.
        for sentence in ((f"{name}: {finding.why or finding.what}",) if name else (finding.what, finding.why))
        if sentence
    )
    label = f"[{number}]".ljust(len(_FIX_INDENT))
    yield _Paragraph(text=printable(" ".join(sentences), limit=_LONGEST), first=label, later=_FIX_INDENT)
    indent = "" if "<<" in mend.fix else _FIX_INDENT  # a here-document ends at a line that begins with its word
    for line in mend.fix.splitlines():
        if line.endswith((".", ":")):
            yield _Paragraph(text=line, first=_FIX_INDENT, later=_FIX_INDENT)
        else:
            yield Text(f"{indent}{line}", style="cyan")


def _wrapped(label: str, text: str, *, style: str = "") -> _Paragraph:
    first = label.ljust(len(_INDENT)) if label else _INDENT
    return _Paragraph(text=text, first=first, later=_INDENT, style=style)


def conclusion(diagnosis: Diagnosis) -> str:
    """Say in one line what it comes to: whether a run would measure here, and with what."""
    if diagnosis.lacking:
        asked = f"The configuration asks for {_listed(diagnosis.lacking)}"
        return f"{asked}, which cannot be used here: a run would stop with exit code 5."
    names = [found.name for found in diagnosis.opened]
    if diagnosis.can_gate:
        return f"Energy can be measured here by {_listed(names)}."
    doubtful = [found for found in diagnosis.opened if not found.decides]
    if doubtful:
        which = "which" if len(names) == 1 else f"and {_listed([found.name for found in doubtful])}"
        how = " and ".join(dict.fromkeys(_DOUBT[found.kind] for found in doubtful))
        return (
            f"A run measures with {_listed(names)}, {which} only {how}: its numbers are labelled so, and decide "
            f"{_leave(diagnosis)}."
        )
    others = [f"`meters: [{name}]`" for name in diagnosis.decides]
    if "estimate" in diagnosis.wanted:
        instead = f" {' or '.join(others)} would measure." if others else ""
        return f"The configuration asks for an estimate, which decides {_leave(diagnosis)}.{instead}"
    if others:
        return f"`meters: [auto]` finds no counter here, so a run would measure nothing. Ask for {' or '.join(others)}."
    return (
        "No hardware counter can be used here, so a run measures no energy: it estimates it from CPU seconds, labelled "
        f"so. That decides {_leave(diagnosis)}."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
