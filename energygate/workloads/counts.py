"""How a command says what it did: a result file, its output, or a constant in the suite."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work
from energygate.workloads.suites import Extract, WorkRules
from energygate.workloads.text import printable
from energygate.workloads.tokens import MAX_COUNT, work_from_usage

_NAMES: Final = frozenset(Work.__struct_fields__)
_PARTS: Final = frozenset({"cached_input_tokens", "reasoning_tokens"})  # the only counts that may be 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What one run of a command left behind."""

    stdout: Path
    result: Path


def count_work(rules: WorkRules, produced: Produced) -> Work:
    """Count one run: what its result file says, and by rule what that leaves open.

    Raises
    ------
    MeasurementInvalid
        If a declared count is missing, zero or no whole number, with what was found instead.
    """
    counts: dict[str, object] = dict(_from_result(produced.result)) if produced.result.exists() else {}
    for name, rule in rules.declared():
        if name not in counts:
            counts[name] = _extracted(name, rule, produced.stdout) if isinstance(rule, Extract) else rule
    return Work(**{name: _whole(name, found) for name, found in counts.items()})


def _from_result(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        raise _failed("the path of ENERGYGATE_RESULT is a folder or a device, not a file")
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _failed(f"the file of ENERGYGATE_RESULT cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise _failed("the file of ENERGYGATE_RESULT holds no JSON object")
    if document.keys() <= _NAMES:
        return document
    usage = msgspec.structs.asdict(work_from_usage(document))
    return {name: count for name, count in usage.items() if count is not None}


def _extracted(name: str, rule: Extract, stdout: Path) -> object:
    text = stdout.read_text(encoding="utf-8", errors="replace")
    if rule.json is not None:
        return _by_path(name, rule.json, text)
    found = list(re.finditer(rule.regex or "", text))
    if not found:
        raise _failed(f"work.{name}: nothing on stdout matches {rule.regex!r}")
    digits = found[-1][1]
    return int(digits) if digits and re.fullmatch("[+-]?[0-9]{1,18}", digits) else digits


def _by_path(name: str, path: str, text: str) -> object:
    document = next(_json_objects(text), None)
    if document is None:
        raise _failed(f"work.{name}: no line of stdout is a JSON object, so it has no {path}")
    found: Any = document
    for step in path.split("."):
        if not isinstance(found, dict) or step not in found:
            raise _failed(f"work.{name}: the last JSON object on stdout has no {path}")
        found = found[step]
    return found


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every line that is a JSON object, the last first."""
    for line in reversed(text.split("\n")):
        if line.lstrip().startswith("{"):
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, RecursionError):
                continue  # a line of prose that happens to begin with a brace


def _whole(name: str, found: object) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or found < (0 if name in _PARTS else 1):
        shown = printable(repr(found), limit=60)
        raise _failed(f"work.{name} is {shown}, not a whole number from {0 if name in _PARTS else 1}")
    if found > MAX_COUNT:
        raise _failed(f"work.{name} is more than 2**53, which nothing can count")
    return found


def _failed(sentence: str) -> MeasurementInvalid:
    return MeasurementInvalid(InvalidCode.WORK_FAILED, sentence)
