"""How a command says what it did: a result file, its output, or a constant in the suite."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from energygate.errors import work_failed
from energygate.model import Work
from energygate.workloads.suites import Extract, WorkRules
from energygate.workloads.text import printable
from energygate.workloads.tokens import MAX_COUNT, PARTS, work_from_usage

_NAMES: Final = frozenset(Work.__struct_fields__)
# As `vllm bench serve` writes them: vllm/benchmarks/serve.py.
_VLLM_BENCH: Final = {
    "completed": "requests",
    "total_input_tokens": "input_tokens",
    "total_output_tokens": "output_tokens",
}


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
    if rules.preset is not None:
        counts = dict(_from_vllm_bench(produced.result))
    else:
        counts = dict(_from_result(produced.result)) if produced.result.exists() else {}
    for name, rule in rules.declared():
        if name not in counts:
            counts[name] = _extracted(name, rule, produced.stdout) if isinstance(rule, Extract) else rule
    return Work(**{name: _whole(name, found) for name, found in counts.items()})


def with_spans(own: Work, spans: Work) -> Work:
    """Tokens as spans count them; requests as the work itself counts them, if it does.

    Raises
    ------
    MeasurementInvalid
        If the work counted tokens too: two counts of one thing are one too many.
    """
    twice = [name for name in _NAMES if name != "requests" and getattr(own, name) is not None]
    if twice:
        raise work_failed(
            f"{', '.join(sorted(twice))}: counted by the work itself and, as tokens.source says, by spans"
        )
    return spans if own.requests is None else msgspec.structs.replace(spans, requests=own.requests)


def _from_result(path: Path) -> Mapping[str, object]:
    document = _object_in(path, "ENERGYGATE_RESULT")
    if document.keys() <= _NAMES:
        return document
    usage = msgspec.structs.asdict(work_from_usage(document))
    return {name: count for name, count in usage.items() if count is not None}


def _from_vllm_bench(path: Path) -> Mapping[str, object]:
    if not path.exists():
        raise work_failed(
            "nothing was written to {result}; give vllm bench serve --save-result --result-filename {result}"
        )
    document = _object_in(path, "{result}")
    lacking = [name for name in (*_VLLM_BENCH, "failed") if name not in document]
    if lacking:
        raise work_failed(f"the file of {{result}} has no {', '.join(lacking)}, so it is none of vllm bench serve")
    failed = document["failed"]
    if failed != 0 or isinstance(failed, bool):
        raise work_failed(f"{printable(repr(failed), limit=60)} of vllm bench's requests failed")
    return {ours: document[theirs] for theirs, ours in _VLLM_BENCH.items()}


def _object_in(path: Path, place: str) -> dict[str, object]:
    if not path.is_file():
        raise work_failed(f"the path of {place} is a folder or a device, not a file")
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise work_failed(f"the file of {place} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise work_failed(f"the file of {place} holds no JSON object")
    return document


def _extracted(name: str, rule: Extract, stdout: Path) -> object:
    text = stdout.read_text(encoding="utf-8", errors="replace")
    if rule.json is not None:
        return _by_path(name, rule.json, text)
    found = list(re.finditer(rule.regex or "", text))
    if not found:
        raise work_failed(f"work.{name}: nothing on stdout matches {rule.regex!r}")
    digits = found[-1][1]
    return int(digits) if digits and re.fullmatch("[+-]?[0-9]{1,18}", digits) else digits


def _by_path(name: str, path: str, text: str) -> object:
    document = next(_json_objects(text), None)
    if document is None:
        raise work_failed(f"work.{name}: no line of stdout is a JSON object, so it has no {path}")
    found: Any = document
    for step in path.split("."):
        if not isinstance(found, dict) or step not in found:
            raise work_failed(f"work.{name}: the last JSON object on stdout has no {path}")
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
    if isinstance(found, bool) or not isinstance(found, int) or found < (0 if name in PARTS else 1):
        shown = printable(repr(found), limit=60)
        raise work_failed(f"work.{name} is {shown}, not a whole number from {0 if name in PARTS else 1}")
    if found > MAX_COUNT:
        raise work_failed(f"work.{name} is more than 2**53, which nothing can count")
    return found
