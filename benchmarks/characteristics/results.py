"""Everything that one run finds, as text, as JSON and as a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from characteristics import tables
from characteristics.campaign import A, B, Compute, Found, run
from characteristics.demands import Demand
from characteristics.picture import picture
from characteristics.real_data import SOURCES, Cell, joined, read
from characteristics.real_demands import across_demands, within_demands
from characteristics.replay import Replayed, peers_in_halves, replay
from characteristics.sessions import Across, compare_sessions
from characteristics.shares import Share
from characteristics.simulated_demands import demands_beside_peers, simulated_demands
from characteristics.simulation import Setting

HALVED: Final = ("clbg2017", "osmium2024", "pandaspolars")


class Size(NamedTuple):
    """How much is drawn.

    Attributes
    ----------
    name : str
    pull_requests : mapping of int to int
        How many of each number of benchmarks are simulated, for each suite.
    replayed : int
        How many are drawn from each real source.
    errors : float
        By how many standard errors each bound is widened.
    """

    name: str
    pull_requests: Mapping[int, int]
    replayed: int
    errors: float


QUICK: Final = Size("--quick", {1: 4_000, 20: 1_000, 200: 150}, replayed=400, errors=3.0)
FULL: Final = Size("--full", {1: 100_000, 20: 20_000, 200: 5_000}, replayed=5_000, errors=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was found."""

    size: Size
    seed: int
    simulated: Mapping[Setting, Found]
    replays: Sequence[Replayed]
    halves: Mapping[str, Mapping[str, Share]]
    sessions: Sequence[Across]

    @property
    def demands(self) -> list[Demand]:
        """Every bound, beside what was found."""
        errors = self.size.errors
        return [
            *simulated_demands(self.simulated, errors=errors),
            *demands_beside_peers(self.simulated, errors=errors),
            *within_demands(self.replays, errors=errors),
            *across_demands(self.sessions),
        ]

    def text(self) -> str:
        """All tables."""
        counts = ", ".join(f"{count:,} of {size}" for size, count in self.size.pull_requests.items())
        demands = self.demands
        simulated = [each for each in demands if each.for_spreads]
        others = [each for each in demands if not each.for_spreads]
        missed = [each for each in others if not each.kept]
        kept = f"{len(others) - len(missed)} of {len(others)} demands are kept"
        widened = f", each bound widened by {self.size.errors:g} standard errors" if self.size.errors else ""
        drawn = (
            f"`{self.size.name} --seed {self.seed}`, energygate {version('energygate')}. Simulated pull requests for"
            f" each suite, by number of benchmarks: {counts}. {self.size.replayed:,} replayed of each real source.\n"
        )
        parts = [
            drawn,
            "Trials and sessions that vary by 1 %:\n",
            tables.beside_peers(self.simulated, A),
            "Trials and sessions that vary by 2 %:\n",
            tables.beside_peers(self.simulated, B),
            "![Alarms against increases found, for each rule](operating_characteristics.svg)\n",
            "### Real measurements\n",
            "Within a session, percent:\n",
            tables.of_replays(self.replays),
            "Between sessions, number of comparisons:\n",
            tables.of_sessions(self.sessions),
            "By other rules, percent of unchanged comparisons that fail:\n",
            tables.of_peers_on_real(self.halves, self.sessions, self.replays),
            "### What is demanded\n",
            f"Simulated; three figures are for a trial spread of 1 / 2 / 3 %{widened}:\n",
            tables.of_demands(simulated),
            tables.of_queues(self.simulated, session_sd=0.02),
            f"Beside the peers, and on real measurements, {kept}{widened}.\n",
            *([tables.of_demands(missed)] if missed else []),
        ]
        return "\n".join(parts)

    def picture(self) -> str:
        """The plot, as SVG."""
        return picture(self.simulated)

    def json(self) -> str:
        """All figures."""
        return json.dumps(
            {
                "size": self.size._asdict(),
                "seed": self.seed,
                "versions": {name: version(name) for name in ("energygate", "numpy", "scipy")},
                "simulated": [
                    {**asdict(setting), "rule": rule, "figure": figure, **_numbers(share)}
                    for setting, figures in self.simulated.items()
                    for (rule, figure), share in figures.items()
                ],
                "replayed": [
                    {"source": each.source, "cells": each.cells, "figure": figure, **_numbers(share)}
                    for each in self.replays
                    for figure, share in each.figures.items()
                ],
                "sessions": [
                    {"what": each.what, "outcomes": dict(each.outcomes), "peers": _values(each.peers)}
                    for each in self.sessions
                ],
                "halves": {source: _values(peers) for source, peers in self.halves.items()},
                "demands": [
                    {**asdict(each), "kept": each.kept, "known_miss": each.known_miss} for each in self.demands
                ],
            },
            indent=1,
        )


def measure(size: Size, *, seed: int, folder: Path, compute: Compute) -> Results:
    """Simulate and replay; the same seed gives the same figures."""
    cells = {source: _cells(source, folder) for source in SOURCES}
    rng = np.random.default_rng(seed)
    return Results(
        size=size,
        seed=seed,
        simulated=run(size.pull_requests, seed, compute),
        replays=[replay(source, found, size.replayed, rng) for source, found in cells.items()],
        halves={source: peers_in_halves(cells[source]) for source in HALVED},
        sessions=compare_sessions(folder),
    )


def _cells(source: str, folder: Path) -> tuple[Cell, ...]:
    """The cells of a source; vllm4090's days hold too few trials of a cell each, so they are taken together."""
    if source == "vllm4090":
        return joined(read(source, "J/token", folder=folder))
    return read(source, folder=folder)


def _numbers(share: Share) -> dict[str, Any]:
    return {"value": share.value, "se": share.se} if share.whole else {"value": None, "se": None}


def _values(shares: Mapping[str, Share]) -> dict[str, float]:
    return {name: share.value for name, share in shares.items()}
