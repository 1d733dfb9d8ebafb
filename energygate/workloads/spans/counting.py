"""Which spans count: each request to a model once, although those who call it repeat its totals."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from energygate.errors import work_failed
from energygate.model import Work
from energygate.workloads.spans.inbox import Interval
from energygate.workloads.spans.span import Span, SpanId
from energygate.workloads.tokens import consistent, total_work

_T = TypeVar("_T")
_MOST_SHOWN: Final = 5
_OTHER: Final = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCount:
    """What the spans of one trial say.

    Attributes
    ----------
    finish : mapping of reason to int
        How often answers ended so; the commonest by name, the others together as `other`.
    """

    work: Work
    models: tuple[str, ...]
    finish: Mapping[str, int]

    @property
    def conditions(self) -> Mapping[str, Any]:
        """How it went, for the trial's record."""
        return {"spans": {"models": list(self.models), "finish": dict(self.finish)}}


@dataclass(slots=True)
class Ledger:
    """The latest spans of one workload. It outlives the trial: exporters send again what they have sent before.

    What ended before a trial is no part of it, so of older spans only descent is kept: of the latest `most_known`.
    """

    most_known: int = 100_000
    _parents: dict[SpanId, SpanId | None] = field(default_factory=dict)
    _repeating: dict[SpanId, None] = field(default_factory=dict)  # ancestors of what may count: they repeat its totals
    _open: dict[SpanId, Span] = field(default_factory=dict)

    def add(self, spans: Iterable[Span]) -> None:
        """Enter what came; of a span that came before nothing changes."""
        new = {span.id: span for span in spans if span.id not in self._parents}
        self._parents.update((span.id, span.parent) for span in new.values())
        self._open.update((span.id, span) for span in new.values() if span.has_tokens or span.lacks_tokens)

    def count(self, interval: Interval) -> SpanCount:
        """Count the requests that ended in that time.

        Raises
        ------
        MeasurementInvalid
            If there is none, or one whose counts are missing or cannot be believed.
        """
        ended = [span for span in self._open.values() if span in interval]
        self._note_repeating()
        counting = [span for span in ended if span.may_count and span.id not in self._repeating]
        if not counting:
            raise work_failed(_none_counts(ended))
        self._require_complete(ended, {span.id for span in counting})
        self._require_known_descent(counting)
        self._forget_until(interval.end_ns)
        return SpanCount(
            work=total_work([_work(span) for span in counting]),
            models=tuple(sorted({span.model for span in counting if span.model})[:_MOST_SHOWN]),
            finish=_shown(Counter(reason for span in counting for reason in span.finish)),
        )

    def _note_repeating(self) -> None:
        """Mark every ancestor that is known by now: a parent comes after its children, if need be trials later."""
        direct = {span.parent: None for span in self._open.values() if span.may_count and span.parent}
        found = {each: None for each in self._repeating if each not in direct} | direct  # the latest last
        pending = list(found)
        while pending:
            above = self._parents.get(pending.pop())
            if above is not None and above not in found:
                found[above] = None
                pending.append(above)
        self._repeating = found

    def _require_complete(self, ended: list[Span], counting: set[SpanId]) -> None:
        """Refuse requests whose tokens are in no span, neither their own nor one below or above it."""
        alone = [span for span in ended if span.lacks_tokens and span.id not in self._repeating]
        lacking = sum(counting.isdisjoint(self._ancestors(span)) for span in alone)
        if lacking:
            requests = f"{lacking} of {lacking + len(counting)} requests"
            raise work_failed(
                f"{requests} have no output tokens in their spans, so the tokens are unknown; they failed, or were "
                "streamed without stream_options.include_usage"
            )

    def _require_known_descent(self, counting: list[Span]) -> None:
        """Refuse a span that may repeat the totals of another, if what lies between them was never sent."""
        tops = {span.id: self._top(span) for span in counting}
        missing: dict[bytes, set[SpanId]] = {}
        for top in tops.values():
            if top not in self._parents:
                missing.setdefault(top[0], set()).add(top)
        for span in counting:
            trace, _ = span.id
            if span.operation is None and not missing.get(trace, set()) <= {tops[span.id]}:
                raise work_failed(
                    "a span without gen_ai.operation.name may repeat the totals of another one in its trace, whose "
                    "parent was never sent, so nobody knows whether to count it; is every span exported and flushed?"
                )

    def _top(self, span: Span) -> SpanId:
        """Its furthest ancestor that is named: its trace's root, or a span that never came."""
        seen, top = {span.id}, span.id
        while (above := self._parents.get(top)) is not None and above not in seen:
            seen.add(above)
            top = above
        return top

    def _ancestors(self, span: Span) -> set[SpanId]:
        found: set[SpanId] = set()
        above = span.parent
        while above is not None and above not in found:
            found.add(above)
            above = self._parents.get(above)
        return found

    def _forget_until(self, end_ns: int) -> None:
        # Later trials lie later: what ended before is only needed as somebody's descendant, which is noted.
        self._open = {each: span for each, span in self._open.items() if span.end_ns > end_ns}
        self._parents = _latest(self._parents, self.most_known)
        self._repeating = _latest(self._repeating, self.most_known)


def _latest(known: dict[SpanId, _T], most: int) -> dict[SpanId, _T]:
    return dict(islice(known.items(), max(0, len(known) - most), None))


def _shown(reasons: Counter[str]) -> Mapping[str, int]:
    shown = Counter(dict(reasons.most_common(_MOST_SHOWN)))
    if others := reasons.total() - shown.total():
        shown[_OTHER] += others
    return dict(sorted(shown.items()))


def _work(span: Span) -> Work:
    if span.fault is not None:
        raise work_failed(f"a span's counts cannot be believed: {span.fault}")
    return consistent(msgspec.structs.replace(span.work, requests=1))


def _none_counts(ended: list[Span]) -> str:
    if not ended:
        return (
            "no span with output tokens came, so the tokens are unknown; is the work instrumented for OpenTelemetry, "
            "and does it flush its spans before it ends?"
        )
    if any(span.lacks_tokens for span in ended):
        return "no request to a model has output tokens in its span, so the tokens are unknown"
    operations = sorted({span.operation for span in ended if span.operation})[:_MOST_SHOWN]
    return f"no span that came is a request to a model, only {', '.join(operations) or 'repeated totals'}"
