"""A server's own counters of tokens, and whether it is idle: its Prometheus page, read outside every window."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.workloads.inference.answers import error_text
from energygate.workloads.inference.client import HttpClient, Unreachable
from energygate.workloads.inference.exchange import Reply
from energygate.workloads.inference.loading import UNAVAILABLE
from energygate.workloads.inference.presets import CounterNames
from energygate.workloads.text import Redactor
from energygate.workloads.tokens import MAX_COUNT

_MOST_BYTES: Final = 2**20  # where the client cuts a page off
_NO_PAGE: Final = frozenset({401, 403, 404, 405, 501})  # llama.cpp without --metrics says 501
_LONGEST_S: Final = 1e12  # more is no time
_SIX_DIGITS: Final = "llamacpp:"  # llama.cpp writes 1234567 as 1.23457e+06
GONE: Final = "the server shows no counters any more, so its tokens are unknown"

_Series = tuple[str, tuple[tuple[str, str], ...]]  # a name and its labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Tokens that a server says it has worked on, since its start or between two readings; unknown is None.

    Attributes
    ----------
    rounding : mapping
        How far each may be off, by its name, because the server rounds what it writes; what is exact is left out.
    phases_s : tuple of float or None
        Seconds of all requests in prefill, and in decode.
    series : mapping
        Each counter behind the sums, to tell when one of several falls.
    """

    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    rounding: Mapping[str, int] = field(default_factory=dict)
    phases_s: tuple[float, float] | None = None
    series: Mapping[_Series, int] = field(default_factory=dict, repr=False, compare=False)

    def known(self) -> Mapping[str, int]:
        """Its counts by their names; what is unknown is left out."""
        names = ("input_tokens", "output_tokens", "cached_input_tokens")
        return {name: count for name in names if (count := getattr(self, name)) is not None}


class ServerCounters:
    """Reads the page ``/metrics`` at a server's root.

    Parameters
    ----------
    url : str
        The endpoint's. A server that is started again may have another one, and counts anew.
    names : CounterNames
        The metrics that the server's preset knows.
    show : Redactor
        Makes what the server says fit to be shown.
    timeout_s : float
        For the page: llama.cpp gives it between two steps of its work, and one may take seconds.
    """

    def __init__(
        self, http: HttpClient, url: str, names: CounterNames, *, show: Redactor, timeout_s: float = 10.0
    ) -> None:
        parts = urlsplit(url)
        self._http = http
        self._url = f"{parts.scheme}://{parts.netloc}/metrics"
        self._names = names
        self._show = show
        self._timeout_s = timeout_s

    def read(self) -> Counts | None:
        """Read the counters; None if the server has none.

        Raises
        ------
        MeasurementInvalid
            If it has a page, which cannot be read.
        """
        names = self._names
        page = self._page({*names.input, *names.output, *names.cached, *names.phases})
        found = self._whole_ones({series: value for series, value in page.items() if series[0] not in names.phases})
        if not found:
            return None
        return Counts(
            input_tokens=_total(found, names.input),
            output_tokens=_total(found, names.output),
            cached_input_tokens=_total(found, names.cached),
            rounding=_exact_left_out(
                input_tokens=_rounding(found, names.input),
                output_tokens=_rounding(found, names.output),
                cached_input_tokens=_rounding(found, names.cached),
            ),
            phases_s=_phases(page, names.phases),
            series=found,
        )

    def idle(self) -> bool | None:
        """Whether nothing is in work and nothing waits; None if the server does not say.

        One that is too busy to answer is not idle. Raises MeasurementInvalid as `read` does.
        """
        try:
            found = self._whole_ones(self._page(set(self._names.idle)))
        except _Late:
            return False
        totals = [_total(found, (name,)) for name in self._names.idle]
        if any(totals):
            return False
        return True if totals and None not in totals else None

    def _page(self, wanted: set[str]) -> Mapping[_Series, float]:
        try:
            reply = self._http.get(self._url, timeout_s=self._timeout_s)
        except Unreachable as refusal:
            kind = _Late if isinstance(refusal.__cause__, TimeoutError) else MeasurementInvalid
            raise kind(InvalidCode.READ_ERROR, f"{self._url}: {self._show(str(refusal))}") from refusal
        if reply.status in _NO_PAGE:
            return {}
        if reply.status != 200:
            why = f"HTTP {reply.status}, {self._show(error_text(reply.body)) or 'no text'}"
            raise self._unreadable(why, Unavailable if reply.status == UNAVAILABLE else MeasurementInvalid)
        return {series: value for series, value in self._parsed(reply) if series[0] in wanted}

    def _whole_ones(self, page: Mapping[_Series, float]) -> Mapping[_Series, int]:
        return {series: self._whole(series[0], value) for series, value in page.items()}

    def _parsed(self, reply: Reply) -> Iterator[tuple[_Series, float]]:
        # Here, because only a server with counters needs it.
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

        if len(reply.body) >= _MOST_BYTES:
            raise self._unreadable(f"longer than {_MOST_BYTES // 1024} KiB")
        try:
            for family in text_string_to_metric_families(reply.body.decode()):
                for sample in family.samples:
                    yield (sample.name, tuple(sorted(sample.labels.items()))), sample.value
        except (ValueError, IndexError) as error:  # the parser is none for texts of strangers
            raise self._unreadable(self._show(str(error))) from error

    def _whole(self, name: str, value: float) -> int:
        if value > MAX_COUNT:  # beyond it a number that a float has been is not exact
            raise self._unreadable(f"{name} is more than 2**53, no count")
        if not (value >= 0 and float(value).is_integer()):  # NaN is neither
            raise self._unreadable(f"{name} is {value}, no count")
        return int(value)

    def _unreadable(self, why: str, kind: type[MeasurementInvalid] = MeasurementInvalid) -> MeasurementInvalid:
        return kind(InvalidCode.READ_ERROR, f"{self._url} cannot be read: {why}")


class Unavailable(MeasurementInvalid):
    """No page yet: the server may still be loading."""


class _Late(MeasurementInvalid):
    """No page within its time."""


def difference(before: Counts, after: Counts | None) -> Counts:
    """Give what was counted between two readings.

    Raises
    ------
    MeasurementInvalid
        If a counter fell, or is not there any more.
    """
    if after is None:
        raise MeasurementInvalid(InvalidCode.READ_ERROR, GONE)
    for series, value in before.series.items():
        name, now = series[0], after.series.get(series)
        if now is None:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, f"{name} is gone, so the server's tokens are unknown")
        if now < value:
            raise MeasurementInvalid(
                InvalidCode.COUNTER_RESET, f"{name} fell from {value} to {now}: was the server started again?"
            )
    return Counts(
        input_tokens=_less(after.input_tokens, before.input_tokens),
        output_tokens=_less(after.output_tokens, before.output_tokens),
        cached_input_tokens=_less(after.cached_input_tokens, before.cached_input_tokens),
        rounding={
            name: before.rounding.get(name, 0) + after.rounding.get(name, 0)
            for name in before.rounding.keys() | after.rounding.keys()
        },
        phases_s=_longer(before.phases_s, after.phases_s),
    )


def _total(found: Mapping[_Series, int], names: tuple[str, ...]) -> int | None:
    """Add up all series of these names; None if any name has none, because the rest would be too little."""
    values = {name: [value for series, value in found.items() if series[0] == name] for name in names}
    return sum(sum(each) for each in values.values()) if values and all(values.values()) else None


def _phases(page: Mapping[_Series, float], names: tuple[str, ...]) -> tuple[float, float] | None:
    """Add up the seconds of each phase; None where one is unknown, or no time: they are shown and never gated."""
    values = [[value for series, value in page.items() if series[0] == name] for name in names]
    if not values or not all(values) or not all(0 <= value <= _LONGEST_S for each in values for value in each):
        return None
    prefill_s, decode_s = map(math.fsum, values)
    return prefill_s, decode_s


def _longer(before: tuple[float, float] | None, after: tuple[float, float] | None) -> tuple[float, float] | None:
    if before is None or after is None or after[0] < before[0] or after[1] < before[1]:
        return None
    return after[0] - before[0], after[1] - before[1]


def _rounding(found: Mapping[_Series, int], names: tuple[str, ...]) -> int:
    values = (value for (name, _), value in found.items() if name in names and name.startswith(_SIX_DIGITS))
    return sum(_half_of_last_digit(value) for value in values)


def _exact_left_out(**rounding: int) -> Mapping[str, int]:
    return {name: tokens for name, tokens in rounding.items() if tokens}


def _half_of_last_digit(value: int) -> int:
    # One with more digits was not rounded; one with six may happen to be exact.
    last = 10 ** max(len(str(value)) - 6, 0)
    return last // 2 if value % last == 0 else 0


def _less(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before
