"""From what came back of some passes to counted answers, or the first one that is none."""

from collections.abc import Callable, Sequence

from energygate.errors import InvalidCode, MeasurementInvalid, WorkloadError
from energygate.workloads.inference.answers import WithoutUsage, count_answer, status_sentence
from energygate.workloads.inference.asking import Asking
from energygate.workloads.inference.exchange import Answered, Exchange, Reply
from energygate.workloads.inference.loading import UNAVAILABLE, StillLoading
from energygate.workloads.inference.model_check import require_model
from energygate.workloads.inference.plan import Plan
from energygate.workloads.inference.tally import Tallied
from energygate.workloads.text import ended

Because = Callable[[str], str]


class BadAnswer(MeasurementInvalid):
    """One request was not answered as it should be.

    Attributes
    ----------
    position : int
        Which one, counted over all passes.
    status : int
        What the server gave, if it was no 200.
    """

    def __init__(self, code: InvalidCode, sentence: str, *, position: int, status: int = 200) -> None:
        super().__init__(code, sentence)
        self.position = position
        self.status = status

    def in_trial(self, plan: Plan, *, passes: int) -> MeasurementInvalid:
        """Say which of a trial's requests it was."""
        return MeasurementInvalid(self.code, f"{plan.where(self.position, passes=passes)}: {self.sentence}")

    def before_trials(self, plan: Plan) -> WorkloadError:
        """Say that nothing can be measured with such a server."""
        origin, sentence = plan.request(self.position).origin, ended(self.sentence)
        if self.status != 200:
            kind = StillLoading if self.status == UNAVAILABLE else WorkloadError
            return kind(f"{plan.name}: the server refused {origin}: {sentence}")
        return WorkloadError(f"{plan.name}: {origin}: {sentence}")


def read_answers(exchange: Exchange, asking: Asking, *, without_usage: WithoutUsage, because: Because) -> list[Tallied]:
    """Count every answer.

    Parameters
    ----------
    because : callable
        Says why a request got no answer, from what its client saw of it.

    Raises
    ------
    BadAnswer
        Of the first request that has no complete answer, or other work than was asked for.
    """
    asking.plan.show.heard.add(exchange.texts())  # first: what the server says of it may quote it
    if (missing := exchange.unanswered) is not None:
        raise BadAnswer(InvalidCode.WORK_FAILED, because(missing.why), position=missing.position)
    return [_read(answer, asking, without_usage) for answer in exchange.answered]


def _read(answer: Answered, asking: Asking, without_usage: WithoutUsage) -> Tallied:
    plan, reply = asking.plan, answer.reply
    if isinstance(reply, Reply) and reply.status != 200:
        sentence = status_sentence(reply, show=plan.show)
        raise BadAnswer(InvalidCode.WORK_FAILED, sentence, position=answer.position, status=reply.status)
    try:
        counted = count_answer(
            reply,
            plan.request(answer.position),
            fixed_output=asking.switches.fixed_output,
            show=plan.show,
            without_usage=without_usage,
        )
    except MeasurementInvalid as fault:
        raise BadAnswer(fault.code, fault.sentence, position=answer.position) from fault
    index = answer.position % len(plan.requests)
    return Tallied(request=index, duration_s=answer.duration_s, counted=counted, first_s=answer.first_s)


def require_own_model(answers: Sequence[Tallied], plan: Plan) -> None:
    """Refuse answers of another model. Raises WorkloadError."""
    for answer in answers:
        if answer.counted.model is not None:
            require_model([answer.counted.model], suite=plan.name, model=plan.suite.endpoint.model, show=plan.show)
