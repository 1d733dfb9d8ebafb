"""Trials of one benchmark must do the same work: otherwise their joules differ for a reason that is no regression."""

import statistics
from dataclasses import dataclass, field

from energygate import units
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work


@dataclass(slots=True, kw_only=True)
class EqualWork:
    """Compares each trial's tokens, per pass over the requests, with those of the trials before it.

    Parameters
    ----------
    tolerance : float
        How far the output tokens of a trial may lie from the median of all trials so far, as a fraction.
    """

    tolerance: float
    _input_tokens: list[float] = field(default_factory=list)
    _output_tokens: list[float] = field(default_factory=list)

    def check(self, work: Work, *, passes: int) -> None:
        """Add one trial. Raises MeasurementInvalid if it did other work than the others."""
        input_tokens, output_tokens = (work.input_tokens or 0) / passes, (work.output_tokens or 0) / passes
        # An odd one stays in the lists: were it the first, all later trials would be the odd ones.
        self._input_tokens.append(input_tokens)
        self._output_tokens.append(output_tokens)
        usual_input = statistics.median_low(self._input_tokens)
        if input_tokens != usual_input:
            raise MeasurementInvalid(
                InvalidCode.WORK_DIFFERS,
                f"{input_tokens:g} input tokens, {usual_input:g} in the other trials. The same prompts must be sent: "
                "does the server change them, or did another server answer?",
            )
        usual_output = statistics.median(self._output_tokens)
        if abs(output_tokens - usual_output) > self.tolerance * usual_output:
            raise MeasurementInvalid(
                InvalidCode.WORK_DIFFERS,
                f"{output_tokens:g} output tokens, {usual_output:g} in the median trial: more than "
                f"{units.format_percent(self.tolerance)} apart. Set requests.temperature to 0, or raise "
                "requests.output_tolerance.",
            )
