"""How often energygate cries wolf, how often it finds what is there, and what others do with the same numbers.

Simulated pull requests whose truth is known, and replays of real measurements (`benchmarks/data`), go through the
functions that energygate decides with, and through the rules of other tools.

    python operating_characteristics.py [--quick | --full] [--check] [--write] [--seed N] [--data DIR] [--out DIR]

`--quick`, which is the default, draws fewer pull requests and widens each bound by three standard errors.
"""

import argparse
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from characteristics.demands import Demand
from characteristics.results import FULL, QUICK, Results, measure
from characteristics.tables import line
from claims import Claim, give_up, settle

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
DATA: Final = Path(__file__).resolve().parent / "data"
NAME: Final = "operating_characteristics"
BEGIN, END = f"<!-- {NAME}: begin -->\n", f"<!-- {NAME}: end -->\n"
SEED: Final = 20261126
WORKERS: Final = 2


def main() -> int:
    """Simulate, replay, print, and say which bounds were missed."""
    asked = arguments()
    if not asked.data.is_dir():
        give_up(f"{asked.data} is no folder: without the measurements nothing real is replayed. Give --data DIR")
    began_s = time.monotonic()
    with ProcessPoolExecutor(WORKERS) as workers:
        size = FULL if asked.full else QUICK
        results = measure(size, seed=asked.seed, folder=asked.data, compute=workers.map)
    text = results.text()
    print(text)
    if asked.out:
        save(results, text, asked.out)
    if asked.write:
        write(results, text)
    print(f"{time.monotonic() - began_s:.0f} s")
    return settled(results.demands, check=asked.check)


def settled(demands: Iterable[Demand], *, check: bool) -> int:
    """Print which bounds are kept; the exit code is 1 if that is checked and one is missed that is not known to be."""
    code = settle(Claim(line(demand), demand.kept, known=demand.known_miss) for demand in demands)
    return code if check else 0


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser()
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="less than a minute (the default)")
    size.add_argument("--full", action="store_true", help="ten minutes on two cores")
    parser.add_argument("--check", action="store_true", help="end with 1 if a figure is missed that is not known to be")
    parser.add_argument("--write", action="store_true", help="put the tables and the picture into docs")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the measurements to replay")
    parser.add_argument("--out", type=Path, help="a folder for the tables, the picture, and all figures as JSON")
    return parser.parse_args()


def save(results: Results, text: str, folder: Path) -> None:
    """Leave everything in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.md").write_text(text)
    (folder / f"{NAME}.json").write_text(results.json())
    (folder / f"{NAME}.svg").write_text(results.picture())


def write(results: Results, text: str) -> None:
    """Put the tables between the marks of docs/statistics.md, and the picture beside it."""
    page = DOCS / "statistics.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{text}{END}{after}")
    (DOCS / f"{NAME}.svg").write_text(results.picture())


if __name__ == "__main__":
    sys.exit(main())
