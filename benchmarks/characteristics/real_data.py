"""Reading the measurements of `benchmarks/data`; what they are stands in its README."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FOLDER: Final = Path(__file__).resolve().parent.parent / "data"
Metric: TypeAlias = Literal["J", "J/token"]

_FILES: Final = {
    "clbg2017": "clbg2017_rapl",
    "energytrackr25": "energytrackr25_rapl",
    "osmium2024": "osmium2024_rapl",
    "pandaspolars": "pandaspolars_powerjoular",
    "quantllm": "quantllm_gpu",
    "vllm4090": "vllm4090_gpu",
    "greensmash": "greensmash_pi_powerjoular",
}
SOURCES: Final = tuple(_FILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one workload used in one treatment and session, in time order: positive values only."""

    workload: str
    treatment: str
    session: str
    values: NDArray[np.float64]


def read(source: str, metric: Metric = "J", *, folder: Path = FOLDER) -> tuple[Cell, ...]:
    """Give the cells of a source, in the order of their first trial. What is not positive was no measurement."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with gzip.open(folder / f"{_FILES[source]}.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["workload"], row["treatment"], row["session"]].append(_VALUE[metric](row))
    cells = (Cell(workload=w, treatment=t, session=s, values=_positive(values)) for (w, t, s), values in found.items())
    return tuple(cells)


def joined(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """The same over all sessions."""
    found: dict[tuple[str, str], list[NDArray[np.float64]]] = defaultdict(list)
    for cell in cells:
        found[cell.workload, cell.treatment].append(cell.values)
    return tuple(
        Cell(workload=workload, treatment=treatment, session="", values=np.concatenate(parts))
        for (workload, treatment), parts in found.items()
    )


def by_session(cells: tuple[Cell, ...]) -> dict[tuple[str, str], dict[str, NDArray[np.float64]]]:
    """Values of each session, for each workload and treatment."""
    found: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = defaultdict(dict)
    for cell in cells:
        found[cell.workload, cell.treatment][cell.session] = cell.values
    return dict(found)


def _joules(row: Mapping[str, str]) -> float:
    return float(row["energy_joules"])


def _joules_per_token(row: Mapping[str, str]) -> float:
    return float(row["energy_joules"]) / float(row["tokens"])


_VALUE: Final[Mapping[Metric, Callable[[Mapping[str, str]], float]]] = {"J": _joules, "J/token": _joules_per_token}


def _positive(values: list[float]) -> NDArray[np.float64]:
    array = np.array(values)
    return array[array > 0]
