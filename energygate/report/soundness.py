"""The rules for a report from a file: what is beyond all measure, and what cannot be.

One that nobody vouches for must keep to all of them; RelayRefused names what is broken. One of one's own must hold no
number that cannot be.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from energygate.errors import RelayRefused, split_path
from energygate.model import MOST_COUNTED, Commit, Fraction, GateReport, Joules, Outcome, Row, RunId

_MOST_LEVELS: Final = 20
SHALLOW: Final = f"a report is nested at most {_MOST_LEVELS} levels deep"
_MOST_ITEMS: Final = 1_000
_MOST_KEYS: Final = 200
_MOST_NAME: Final = 200
_MOST_TEXT: Final = 500

_Name = Annotated[str, Meta(min_length=1, max_length=_MOST_NAME)]
_Ratio = Annotated[float, Meta(gt=0)]
_Share = Annotated[float, Meta(ge=0)]
_Demand = tuple[str, Sequence[Any], Any]
_Chance = Annotated[float, Meta(ge=0, le=1)]


def require_bounded(document: Any) -> None:
    """Refuse what no report needs: many levels, keys or items, long texts, numbers beyond those that JSON keeps."""
    _require_bounded(document, "$", levels=_MOST_LEVELS)


def _require_bounded(value: Any, path: str, *, levels: int) -> None:
    if levels == 0:
        raise RelayRefused(SHALLOW, f"more at {path}")
    match value:
        case dict():
            _require_at_most(_MOST_KEYS, len(value), f"keys at {path}")
            for key, inner in value.items():
                _require_at_most(_MOST_NAME, len(key), f"characters in a key at {path}")
                _require_bounded(inner, f"{path}.{key}", levels=levels - 1)
        case list() | tuple():
            _require_at_most(_MOST_ITEMS, len(value), f"items at {path}")
            for place, inner in enumerate(value):
                _require_bounded(inner, f"{path}[{place}]", levels=levels - 1)
        case str():
            _require_at_most(_MOST_TEXT, len(value), f"characters at {path}")
        case int() | float() if abs(value) > MOST_COUNTED:
            raise RelayRefused(f"no number of a report is beyond {MOST_COUNTED}", f"a larger one at {path}")


def _require_at_most(most: int, found: int, what: str) -> None:
    if found > most:
        raise RelayRefused(f"there are at most {most} {what.partition(' at ')[0]}", f"{found} {what}")


def require_sound(report: GateReport) -> None:
    """Refuse a report whose values cannot be, though they have the right types."""
    for rule, found in _broken((*_demands(report), *_demands_on_numbers(report))):
        raise RelayRefused(rule, found)


def impossible(report: GateReport) -> str:
    """Say which rule is broken by what no format could show; empty where none is."""
    machines = [report.machine, *([report.baseline.machine] if report.baseline.machine else [])]
    if any(_is_deep([machine.hard, machine.soft], _MOST_LEVELS) for machine in machines):
        return SHALLOW
    return next((f"{rule}: {found}" for rule, found in _broken(_demands_on_numbers(report))), "")


def _is_deep(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deep(each, levels - 1) for each in inner)


def _broken(demands: Iterable[_Demand]) -> Iterator[tuple[str, str]]:
    """Give each rule that is broken, and by what."""
    for rule, values, each in demands:
        try:
            msgspec.convert([value for value in values if value is not None], list[each])  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            yield rule, split_path(str(error))[0]


def _demands(report: GateReport) -> Iterator[_Demand]:
    """Give each rule of texts with the values that it is about and the type that they must have."""
    base, policy = report.base, report.policy
    runs = [report.head.run_id, *report.baseline.runs, *([base.run_id] if base else [])]
    yield "runs are named as energygate names them", runs, RunId
    commits = [report.head.commit, *report.baseline.commits, base.commit if base else None]
    yield "commits are named by whole hashes", commits, Commit
    yield "what fails is named by outcomes", policy.fail_on, Outcome
    machine = report.baseline.machine
    labels = [report.machine.label, *([machine.label] if machine else [])]
    names = [*labels, *(name for meter in report.meters for name in (meter.name, *meter.domains))]
    yield f"names have 1 to {_MOST_NAME} characters", names, _Name
    for row in report.comparisons:
        yield f"names have 1 to {_MOST_NAME} characters", [row.benchmark, row.anchor or None], _Name


def _demands_on_numbers(report: GateReport) -> Iterator[_Demand]:
    """Give those of numbers in the same way."""
    policy = report.policy
    shares = [policy.budget, policy.min_effect, policy.false_alarms]
    yield "the policy's numbers are fractions, above 0 and at most 1", shares, Fraction
    for row in report.comparisons:
        yield from _demands_on(row)


def _demands_on(row: Row) -> Iterator[_Demand]:
    accepted = row.accepted.ratio if row.accepted else None
    yield "ratios are above 0", [row.ratio, row.ratio_low, row.ratio_high, row.detectable, accepted], _Ratio
    yield "ratios of parts are not negative", [*row.domains.values(), *row.work.values()], _Share
    yield "p-values lie between 0 and 1", [row.p_value, row.p_adjusted], _Chance
    yield "quantities lie between 0 and 1e12", [row.base, row.head, *row.history], Joules
