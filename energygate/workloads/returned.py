"""What a Python function returns, as counts of the work it did."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from energygate.errors import MeasurementInvalid, work_failed
from energygate.model import Work
from energygate.workloads.text import printable
from energygate.workloads.tokens import MAX_COUNT, PARTS, consistent, total_work, work_from_usage

_NAMES: Final = Work.__struct_fields__


def work_of(results: Sequence[object], *, calls: int) -> Work:
    """Add up what every call returned.

    Parameters
    ----------
    results : sequence
        What the calls returned, where it was not None.

    Raises
    ------
    MeasurementInvalid
        If one of them is no mapping of counts and no list of usages, or only some calls returned anything.
    """
    if results and len(results) != calls:
        raise work_failed(f"it returned counts in {len(results)} of {calls} calls, so those of the others are unknown")
    return total_work([_of_one(result) for result in results]) if results else Work()


def _of_one(result: object) -> Work:
    if isinstance(result, Mapping):
        return consistent(Work(**{str(name): _count(name, value) for name, value in result.items()}))
    if isinstance(result, list | tuple):
        return _of_usages(result)
    raise work_failed(f"it returned {_kind(result)}, not None, a mapping of counts or a list of usages")


def _count(name: object, value: object) -> int:
    if name not in _NAMES:
        shown = printable(name, limit=40) if isinstance(name, str) else _kind(name)
        raise work_failed(f"it returned a mapping with {shown}, which is none of {', '.join(_NAMES)}")
    least = 0 if name in PARTS else 1
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_COUNT:
        # A text might be a prompt, so only numbers are shown.
        shown = _number(value) if isinstance(value, int | float) else _kind(value)
        raise work_failed(f"it returned {name}: {shown}, not a whole number from {least} to 2**53")
    return value


def _of_usages(usages: Sequence[object]) -> Work:
    if not usages:
        raise work_failed("it returned an empty list of usages, so no request was made, or none is known")
    return total_work([_of_usage(usage, f"usage {n} of {len(usages)}") for n, usage in enumerate(usages, start=1)])


def _of_usage(usage: object, which: str) -> Work:
    try:
        return msgspec.structs.replace(work_from_usage(usage), requests=1)
    except MeasurementInvalid as fault:
        raise work_failed(f"{which} that it returned: {fault.sentence}") from fault


def _number(value: float) -> str:
    return "more than 2**53" if value > MAX_COUNT else f"{value:g}"


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
