"""Counting and checking the trials of one benchmark."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs

from energygate.errors import InvalidCode, MeasurementInvalid, WorkloadError, work_failed
from energygate.model import Work
from energygate.workloads.base import WorkDone
from energygate.workloads.inference.asking import Asking
from energygate.workloads.inference.cache_off import require_cache_off
from energygate.workloads.inference.client_cost import ClientCost
from energygate.workloads.inference.counters import Counts
from energygate.workloads.inference.exchange import Exchange
from energygate.workloads.inference.foreign import Foreign, exact_work
from energygate.workloads.inference.probe import Source
from energygate.workloads.inference.reading import BadAnswer, Because, read_answers, require_own_model
from energygate.workloads.inference.served import Served
from energygate.workloads.inference.tally import Tallied, inference_conditions
from energygate.workloads.text import ended
from energygate.workloads.tokens import consistent, total_work


class Counting:
    """What the passes of a benchmark did, and whether each may count; whether all did the same is asked at the end.

    Parameters
    ----------
    source : {"usage", "counters"}
        Who counts the tokens.
    """

    def __init__(self, asking: Asking, *, source: Source) -> None:
        self._asking = asking
        self._source = source
        self._cost = ClientCost()
        self._foreign = Foreign()
        self._is_cache_unseen = False
        self._digests: Counter[tuple[str, str]] = Counter()

    def warm_up(self, exchange: Exchange, served: Served, *, passes: int, because: Because) -> None:
        """Check what trials will do over and over. Raises WorkloadError if none of them could count."""
        plan = self._asking.plan
        try:
            answers = self._answers(exchange, because)
            require_own_model(answers, plan)
            work = self._work(answers, served.end(), passes=passes)
        except BadAnswer as bad:
            raise bad.before_trials(plan) from bad
        except MeasurementInvalid as fault:
            raise WorkloadError(f"{plan.name}: {ended(fault.sentence)}") from fault
        self._require_seen_cache(work)

    def trial(self, exchange: Exchange, served: Served, *, passes: int, because: Because) -> WorkDone:
        """Count one trial. Raises MeasurementInvalid."""
        plan = self._asking.plan
        try:
            answers = self._answers(exchange, because)
            require_own_model(answers, plan)
        except BadAnswer as bad:
            raise bad.in_trial(plan, passes=passes) from bad
        except WorkloadError as other:
            raise MeasurementInvalid(InvalidCode.WORK_DIFFERS, other.what) from other
        counts = served.end()
        work = self._work(answers, counts, passes=passes)
        if counts is not None and self._source == "usage":
            self._foreign.check(work, counts)
        self._cost.check(exchange)
        return WorkDone(work=work, conditions={"inference": self._conditions(answers, exchange, counts)})

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the trials as a whole."""
        return tuple(self._noted())

    def _answers(self, exchange: Exchange, because: Because) -> list[Tallied]:
        return read_answers(
            exchange,
            self._asking,
            without_usage="refuse" if self._source == "usage" else "accept",
            because=because,
        )

    def _work(self, answers: Sequence[Tallied], counts: Counts | None, *, passes: int) -> Work:
        work = self._total(answers, counts, passes=passes)
        if self._asking.switches.cache_off:
            require_cache_off(work)
        return work

    def _total(self, answers: Sequence[Tallied], counts: Counts | None, *, passes: int) -> Work:
        answered = total_work([answer.counted.work for answer in answers])
        if self._source == "counters":
            return self._counted(answered, counts, passes=passes)
        if answered.cached_input_tokens is None and counts is not None and "cached_input_tokens" not in counts.rounding:
            return consistent(structs.replace(answered, cached_input_tokens=counts.cached_input_tokens))
        return answered

    def _counted(self, answered: Work, counts: Counts | None, *, passes: int) -> Work:
        if counts is None:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, "the server shows no counters, so its tokens are unknown")
        work = consistent(structs.replace(exact_work(counts), requests=answered.requests))
        _require_counted(work)
        received, most = work.output_tokens, self._asking.plan.most_output_tokens * passes
        if self._asking.switches.fixed_output and received != most:
            raise MeasurementInvalid(
                InvalidCode.WORK_DIFFERS, f"{received} of {most} tokens: requests.fixed_output asks for all"
            )
        if received is not None and received > most:
            raise MeasurementInvalid(
                InvalidCode.WORK_FAILED, f"{received} output tokens, more than the {most} that were asked for"
            )
        return work

    def _conditions(self, answers: Sequence[Tallied], exchange: Exchange, counts: Counts | None) -> Mapping[str, Any]:
        concurrency = self._asking.plan.suite.load.concurrency
        conditions = dict(inference_conditions(answers, exchange, concurrency=concurrency))
        conditions["token_source"] = self._source
        conditions["equal_work"] = {
            "output_tolerance": self._asking.plan.suite.requests.tolerance,
            "prefix_cache": self._asking.switches.prefix_cache,
        }
        if counts is not None:
            conditions["server_counts"] = counts.known()
            if concurrency == 1 and counts.phases_s is not None:  # above 1 they overlap
                prefill_s, decode_s = counts.phases_s
                conditions.setdefault("phases", {"prefill_s": prefill_s, "decode_s": decode_s})
            if counts.output_tokens is not None:
                conditions.setdefault("output_tokens_per_s", counts.output_tokens / exchange.duration_s)
        self._digests[conditions["work_digest"], conditions["output_digest"]] += 1
        return conditions

    def _require_seen_cache(self, work: Work) -> None:
        """Of a cache that is to be off, want to be told so. Raises WorkloadError."""
        plan, preset = self._asking.plan, self._asking.preset
        self._is_cache_unseen = self._asking.switches.cache_off and work.cached_input_tokens is None
        if self._is_cache_unseen and preset.no_cache is None:
            raise WorkloadError(
                f"{plan.name}: requests.prefix_cache is disabled, but preset {preset.name} has no switch for it, and "
                "the answers don't say how many tokens came from the cache.",
                why="Trials might be warmer or colder than others.",
                fix="Let the server report cached tokens (SGLang: --enable-cache-report), or set warm or any.",
            )

    def _noted(self) -> Iterator[str]:
        if cost := self._cost.note(streamed=self._asking.streamed):
            yield cost
        if unseen := self._foreign.note:
            yield unseen
        if self._is_cache_unseen:
            yield (
                "the answers don't say how many tokens came from the prefix cache, so nobody has seen that it is off "
                "(vLLM: --enable-prompt-tokens-details)"
            )
        works = Counter(work for work, _ in self._digests.elements())
        if len(works) > 1:
            yield f"answers' lengths vary: {_of_commonest(works)} trials did exactly the same work"
        elif len(self._digests) > 1:
            yield f"the answers' texts vary at equal token counts: equal in {_of_commonest(self._digests)} trials"


def _require_counted(work: Work) -> None:
    """Refuse a counter that stood still while answers came: joules would be divided by nothing."""
    for name in ("input_tokens", "output_tokens"):
        if getattr(work, name) == 0:
            raise work_failed(f"the server counted 0 {name.replace('_', ' ')}, so those of the answers are unknown")


def _of_commonest(found: Counter[Any]) -> str:
    return f"{found.most_common(1)[0][1]} of {found.total()}"
