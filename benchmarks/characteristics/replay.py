"""Real trials that ran one after the other, as blocks: changes are planted, the noise is not.

Neighbouring trials are a block's two sides, in an order drawn at random, so that what differs between base and head
is chance. A pull request is 20 cells of one source; a planted change is a factor on the head of the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characteristics.our_rule import Looks, Names, confirmed
from characteristics.peer_rules import PEERS, Evidence
from characteristics.real_data import Cell
from characteristics.shares import Share
from characteristics.simulation import balanced_orders
from energygate.stats.estimate import Estimate

FEWEST_TRIALS: Final = 10
MOST_BLOCKS: Final = 15
CELLS: Final = 20
CHANGES: Final = (0.05, 0.10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One source's figures.

    Attributes
    ----------
    cells : int
    figures : mapping of str to Share
        `p < 0.01` and `p < 0.05` of unchanged cells, `alarms` of pull requests,
        `alarms per benchmark`, `passes`, `fails at +5 %`, `fails at +10 %`.
    """

    source: str
    cells: int
    figures: dict[str, Share]


def replay(source: str, cells: Sequence[Cell], count: int, rng: np.random.Generator) -> Replayed:
    """Draw so many pull requests of a source, and judge them as interleaved ones."""
    usable = usable_cells(cells)
    chosen = np.stack([rng.permutation(len(usable))[:CELLS] for _ in range(count)])
    estimate, blocks = _stopped(usable, chosen, rng)
    same = confirmed(estimate, blocks)
    figures = {
        "p < 0.01": Share.of((estimate.p_value < 0.01).sum(axis=-1), CELLS),
        "p < 0.05": Share.of((estimate.p_value < 0.05).sum(axis=-1), CELLS),
        "alarms per benchmark": Share.of((same == "regressed").sum(axis=-1), CELLS),
        "alarms": Share.of((same == "regressed").any(axis=-1)),
        "passes": Share.of(np.isin(same, ("pass", "improved")).sum(axis=-1), CELLS),
    }
    for change in CHANGES:
        found: Names = confirmed(estimate, blocks, change)
        figures[f"fails at +{100 * change:.0f} %"] = Share.of(found[:, 0] == "regressed")
    return Replayed(source=source, cells=len(usable), figures=figures)


def usable_cells(cells: Sequence[Cell]) -> list[Cell]:
    """Those with enough trials."""
    return [cell for cell in cells if cell.values.size >= FEWEST_TRIALS]


def _stopped(
    cells: Sequence[Cell], chosen: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Estimate, NDArray[np.int64]]:
    """What each chosen cell comes to when its precision, or its last block, ends it; cells of one length together."""
    available = np.array([min(MOST_BLOCKS, cell.values.size // 2) for cell in cells])
    log_ratio, se, df = (np.empty(chosen.shape) for _ in range(3))
    blocks = np.empty(chosen.shape, dtype=np.int64)
    for length in np.unique(available[chosen]):
        of_length = available[chosen] == length
        drawn = np.stack([_steps(cells[i], length) for i in chosen[of_length]])
        looks = Looks.at(np.where(balanced_orders(drawn.shape, rng), -drawn, drawn))
        estimate, blocks[of_length] = looks.at_stop(looks.stops(CELLS))
        log_ratio[of_length], se[of_length], df[of_length] = estimate.log_ratio, estimate.se, estimate.df
    return Estimate(log_ratio=log_ratio, se=se, df=df), blocks


def _steps(cell: Cell, blocks: int) -> NDArray[np.float64]:
    """Log of each block's second trial over its first."""
    pairs = np.log(cell.values[: 2 * blocks]).reshape(blocks, 2)
    return pairs[:, 1] - pairs[:, 0]


def peers_in_halves(cells: Sequence[Cell]) -> dict[str, Share]:
    """Alarms of each peer per cell: the first half of its trials is the stored run, the second the new one.

    `joules ci` alternates, so it is given the neighbours. A rule that needs more stored runs than one is left out.
    """
    halves = [_halves(cell) for cell in usable_cells(cells)]
    return {peer.name: Share.of([bool(peer.fails(each)) for each in halves]) for peer in PEERS if peer.sees != "runs"}


def _halves(cell: Cell) -> Evidence:
    half = cell.values.size // 2
    return Evidence(
        sessions=cell.values[np.newaxis, :half],
        head=cell.values[half:],
        alternating=cell.values[: 2 * half].reshape(half, 2),
    )
