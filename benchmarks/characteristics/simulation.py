"""Pull requests that never were: logs of energies whose truth is known.

Two noises. `plain` is what most analyses assume, with the skew and the outliers that measured energies have. `hard`
adds what benchmarks do on real machines: a warm-up that fades, a drift over the sequence, trials that resemble the one
before.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Logs: TypeAlias = NDArray[np.float64]
Noise: TypeAlias = Literal["plain", "hard"]

OUTLIER_SHARE: Final = 0.03
OUTLIER_MEAN: Final = 0.10
AUTOCORRELATION: Final = 0.3
FADING_TRIALS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a simulated suite is like.

    Attributes
    ----------
    sd : float
        Median over benchmarks of the standard deviation of a trial's log.
    session_sd : float
        Standard deviation of a session's effect: half its variance is common to all benchmarks.
    sessions, trials, blocks : int
        Stored sessions, trials in each, and most interleaved blocks.
    """

    noise: Noise
    benchmarks: int
    sd: float
    session_sd: float
    sessions: int = 5
    trials: int = 10
    blocks: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequests:
    """Logs of pull requests in which nothing changed.

    Attributes
    ----------
    sessions : array of float, shape (pull requests, benchmarks, k, n)
        The newest session comes last.
    head : array of float, shape (pull requests, benchmarks, n)
    pairs : array of float, shape (pull requests, benchmarks, blocks, 2)
        Trials side by side, in the order they ran.
    head_first : array of bool, shape (pull requests, benchmarks, blocks)
    """

    sessions: Logs
    head: Logs
    pairs: Logs
    head_first: NDArray[np.bool_]

    @property
    def differences(self) -> Logs:
        """Head less base of each block."""
        second_less_first: Logs = self.pairs[..., 1] - self.pairs[..., 0]
        return np.where(self.head_first, -second_less_first, second_less_first)


def simulate(setting: Setting, count: int, rng: np.random.Generator) -> PullRequests:
    """Draw so many pull requests."""
    suite = (count, setting.benchmarks)
    sd = setting.sd * np.exp(rng.standard_normal(suite) / 2)
    stored = (*suite, setting.sessions + 1)
    levels = session_effects(setting, count, rng)[..., np.newaxis]
    measured = levels + _sequences(setting.noise, sd[..., np.newaxis], (*stored, setting.trials), rng)
    confirmed = _sequences(setting.noise, sd, (*suite, 2 * setting.blocks), rng)
    return PullRequests(
        sessions=measured[..., :-1, :],
        head=measured[..., -1, :],
        pairs=confirmed.reshape(*suite, setting.blocks, 2),
        head_first=balanced_orders((*suite, setting.blocks), rng),
    )


def session_effects(setting: Setting, count: int, rng: np.random.Generator) -> Logs:
    """What each session adds to all its trials; the head's session comes last."""
    common = rng.standard_normal((count, 1, setting.sessions + 1))
    own = rng.standard_normal((count, setting.benchmarks, setting.sessions + 1))
    return setting.session_sd * math.sqrt(0.5) * (common + own)


def balanced_orders(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether the head runs first in each block: in five of every ten blocks on the last axis."""
    *leading, blocks = shape
    tens = -(-blocks // 10)
    heads = np.tile(np.arange(10) < 5, (*leading, tens, 1))
    return rng.permuted(heads, axis=-1).reshape(*leading, 10 * tens)[..., :blocks]


def _sequences(noise: Noise, sd: Logs, shape: tuple[int, ...], rng: np.random.Generator) -> Logs:
    steps = skewed(shape, rng)
    if noise == "hard":
        position = np.arange(shape[-1])
        drift = rng.standard_normal((*shape[:-1], 1)) * (position / (shape[-1] - 1) - 0.5)
        steps = _autocorrelated(steps) - np.exp(-position / FADING_TRIALS) + drift
    return sd[..., np.newaxis] * steps + _outliers(shape, rng)


def skewed(shape: tuple[int, ...], rng: np.random.Generator) -> Logs:
    """Log-normal values with mean 0 and variance 1: dear trials lie further out than cheap ones."""
    quarter = math.exp(0.25)
    return (np.exp(rng.standard_normal(shape) / 2) - math.exp(0.125)) / math.sqrt((quarter - 1) * quarter)


def _autocorrelated(steps: Logs) -> Logs:
    kept = math.sqrt(1 - AUTOCORRELATION**2)
    values = np.empty_like(steps)
    values[..., 0] = steps[..., 0]
    for i in range(1, steps.shape[-1]):
        values[..., i] = AUTOCORRELATION * values[..., i - 1] + kept * steps[..., i]
    return values


def _outliers(shape: tuple[int, ...], rng: np.random.Generator) -> Logs:
    found = np.zeros(shape)
    hit = rng.random(shape, dtype=np.float32) < OUTLIER_SHARE
    found[hit] = rng.exponential(OUTLIER_MEAN, int(hit.sum()))
    return found
