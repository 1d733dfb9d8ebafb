"""How other tools decide that a benchmark got worse, after their documentation.

Each rule is given what its tool sees, in raw energies: the last stored session, all of them, or trials that alternate
between base and head. Where a tool reports and leaves failing the build to the user, "fails" is what it marks as worse.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

Energies: TypeAlias = NDArray[np.float64]
Failures: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Energies of benchmarks, of which the peers take what they use.

    Attributes
    ----------
    sessions : array of float, shape (..., k, n)
        Stored sessions, the newest last.
    head : array of float, shape (..., n)
    alternating : array of float, shape (..., runs, 2)
        Head, then base, in the order they ran.
    """

    sessions: Energies
    head: Energies
    alternating: Energies

    @property
    def last(self) -> Energies:
        """The newest stored session."""
        return self.sessions[..., -1, :]

    def with_change(self, change: float) -> "Evidence":
        """The same, had the head used so much more."""
        factors = np.array([1 + change, 1.0])
        return Evidence(sessions=self.sessions, head=self.head * (1 + change), alternating=self.alternating * factors)


Rule: TypeAlias = Callable[[Evidence], Failures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A tool's rule.

    Attributes
    ----------
    sees : str
        What it compares the head with: the last stored run, several of them, or a base measured beside it.
    trials : int
        What a pull request costs, for each benchmark.
    """

    name: str
    fails: Rule
    sees: Literal["last run", "runs", "both sides"] = "last run"
    trials: int = 10


def pytest_benchmark(evidence: Evidence, *, field: Callable[..., Energies], percent: float) -> Failures:
    """`--benchmark-compare-fail=FIELD:PERCENT%`: the field, mean or min, rose by more than that since the last run."""
    base, head = field(evidence.last, axis=-1), field(evidence.head, axis=-1)
    return (head - base) / base * 100 > percent


def asv(evidence: Evidence, *, factor: float) -> Failures:
    """`asv continuous`: the median rose by more than the factor, and an exact Mann-Whitney test gives p < 0.002."""
    grown = np.median(evidence.head, axis=-1) > factor * np.median(evidence.last, axis=-1)
    return grown & (mann_whitney_p(evidence.last, evidence.head) < 0.002)


def pyperf(evidence: Evidence) -> Failures:
    """`pyperf compare_to`: slower, and significant by Student's two-sided t-test, pooled variance, at 95 %."""
    base, head = evidence.last, evidence.head
    n, m = base.shape[-1], head.shape[-1]
    pooled = ((n - 1) * base.var(axis=-1, ddof=1) + (m - 1) * head.var(axis=-1, ddof=1)) / (n + m - 2)
    rise = head.mean(axis=-1) - base.mean(axis=-1)
    return rise > stdtrit(n + m - 2, 0.975) * np.sqrt(pooled * (1 / n + 1 / m))


def criterion(evidence: Evidence) -> Failures:
    """criterion.rs: p < 0.05 and a 95 % interval of the change of the mean wholly beyond +1 %.

    Its bootstrap is replaced by Welch's test and a normal interval of the ratio of means, which it approximates.
    """
    base, head = evidence.last, evidence.head
    base_mean, head_mean = base.mean(axis=-1), head.mean(axis=-1)
    u, v = base.var(axis=-1, ddof=1) / base.shape[-1], head.var(axis=-1, ddof=1) / head.shape[-1]
    df = np.square(u + v) / (np.square(u) / (base.shape[-1] - 1) + np.square(v) / (head.shape[-1] - 1))
    p = 2 * stdtr(df, -np.abs(head_mean - base_mean) / np.sqrt(u + v))
    ratio = head_mean / base_mean
    se = ratio * np.sqrt(u / np.square(base_mean) + v / np.square(head_mean))
    return (p < 0.05) & (ratio - ndtri(0.975) * se > 1.01)


def github_action_benchmark(evidence: Evidence, *, percent: float) -> Failures:
    """`alert-threshold`: this run's value is more than so many percent of the last run's."""
    return evidence.head.mean(axis=-1) / evidence.last.mean(axis=-1) * 100 > percent


def bencher(evidence: Evidence) -> Failures:
    """A t-test threshold with the upper boundary 0.99: this run's mean against those of the stored runs."""
    means = evidence.sessions.mean(axis=-1)
    k = means.shape[-1]
    margin = stdtrit(k - 1, 0.99) * means.std(axis=-1, ddof=1) * math.sqrt(1 + 1 / k)
    return evidence.head.mean(axis=-1) > means.mean(axis=-1) + margin


def joules_ci(evidence: Evidence, *, percent: float, runs: int) -> Failures:
    """`joules ci --budget PERCENT --runs RUNS`: the medians differ by more, and the ranges do not overlap."""
    head, base = evidence.alternating[..., :runs, 0], evidence.alternating[..., :runs, 1]
    before = np.median(base, axis=-1)
    over = (np.median(head, axis=-1) - before) / before * 100 > percent
    return over & (head.min(axis=-1) > base.max(axis=-1))


def mann_whitney_p(base: Energies, head: Energies) -> NDArray[np.float64]:
    """Two-sided p of an exact Mann-Whitney test, shape (...), of samples of shapes (..., n) and (..., m)."""
    n, m = base.shape[-1], head.shape[-1]
    difference = head[..., :, np.newaxis] - base[..., np.newaxis, :]
    u = np.sum((difference > 0) + 0.5 * (difference == 0), axis=(-2, -1))
    shares = _u_distribution(n, m)
    return np.minimum(1.0, 2 * shares[np.floor(np.minimum(u, n * m - u)).astype(int)])


@lru_cache
def _u_distribution(n: int, m: int) -> NDArray[np.float64]:
    """P(U <= u) for u = 0 ... nm: coefficients of the Gaussian binomial, summed."""
    counts = np.zeros(n * m + 1)
    counts[0] = 1
    for i in range(1, n + 1):
        for u in range(n * m, m + i - 1, -1):  # times 1 - q^(m + i)
            counts[u] -= counts[u - m - i]
        for u in range(i, n * m + 1):  # over 1 - q^i
            counts[u] += counts[u - i]
    return np.cumsum(counts) / math.comb(n + m, n)


PEERS: Final = (
    Peer(name="pytest-benchmark `mean:5%`", fails=partial(pytest_benchmark, field=np.mean, percent=5.0)),
    Peer(name="pytest-benchmark `min:5%`", fails=partial(pytest_benchmark, field=np.min, percent=5.0)),
    Peer(name="asv, factor 1.1 (default)", fails=partial(asv, factor=1.1)),
    Peer(name="asv, factor 1.05", fails=partial(asv, factor=1.05)),
    Peer(name="pyperf `compare_to`", fails=pyperf),
    Peer(name="criterion-like", fails=criterion),
    Peer(name="github-action-benchmark, 200 % (default)", fails=partial(github_action_benchmark, percent=200.0)),
    Peer(name="github-action-benchmark, 110 %", fails=partial(github_action_benchmark, percent=110.0)),
    Peer(name="Bencher, t-test 0.99", fails=bencher, sees="runs"),
    *(
        Peer(
            name=f"`joules ci`, budget {budget} %, {runs} runs{' (default)' if (budget, runs) == (5, 3) else ''}",
            fails=partial(joules_ci, percent=float(budget), runs=runs),
            sees="both sides",
            trials=2 * runs,
        )
        for budget in (5, 2)
        for runs in (3, 10)
    ),
)
