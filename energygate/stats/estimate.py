"""What a test finds: a log ratio, its standard error, and what follows from them by Student's t."""

from dataclasses import dataclass

import numpy as np

from energygate.stats.distributions import Floats, t_cdf, t_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Head against a reference, in logs; all fields of one shape.

    Attributes
    ----------
    log_ratio : array of float
        Log of head over reference: positive means more energy.
    se : array of float
        Standard error of `log_ratio`; infinite where nothing is known of it.
    df : array of float
        Degrees of freedom of `se`.
    """

    log_ratio: Floats
    se: Floats
    df: Floats

    def __post_init__(self) -> None:
        if not (np.all(self.se > 0) and np.all(self.df > 0)):
            raise ValueError(
                f"an estimate needs se > 0 and df > 0, got {self.se} and {self.df}: no p-value follows from less"
            )

    @property
    def ratio(self) -> Floats:
        """Head over reference."""
        return to_ratio(self.log_ratio)

    @property
    def p_value(self) -> Floats:
        """One-sided p of "the head uses more energy"; it may underflow to 0."""
        return t_cdf(self.df, -self.log_ratio / self.se)

    @property
    def p_improved(self) -> Floats:
        """One-sided p of "the head uses less energy"."""
        return t_cdf(self.df, self.log_ratio / self.se)

    def interval(self, confidence: float = 0.95) -> tuple[Floats, Floats]:
        """Bounds of the ratio.

        Parameters
        ----------
        confidence : float
            One-sided, of each end: 0.95 gives the two-sided 90 % interval.

        Returns
        -------
        ratio_low, ratio_high : array of float

        Raises
        ------
        ValueError
            For a confidence outside (0, 1).
        """
        margin = t_quantile(self.df, confidence) * self.se
        return to_ratio(self.log_ratio - margin), to_ratio(self.log_ratio + margin)


def to_ratio(log_ratio: Floats) -> Floats:
    """The ratio of a log, infinite beyond the largest float."""
    with np.errstate(over="ignore"):  # a bound that is not known is infinite, which is true and decides nothing
        return np.exp(log_ratio)
