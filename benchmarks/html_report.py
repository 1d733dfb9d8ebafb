"""What an HTML report costs: seconds to render it and bytes, for 1, 20 and 500 simulated benchmarks.

Each is rendered in a process of its own, as the command line does: the first time with plotly.js to be compressed, and
again. CPU seconds, user + system, and the median of the rounds.
"""

import json
import subprocess
import sys
from statistics import median

from claims import Claim, settle

SIZES = (1, 20, 500)
ROUNDS = 5
LONGEST_S = 2.0
LARGEST_BYTES = 6_000_000
ONE = """
import json, sys, time
from example_report import example_report
report = example_report(int(sys.argv[1]))
spent = [time.process_time()]
from energygate.report.html import render_html
for _ in range(2):
    size = len(render_html(report).encode())
    spent.append(time.process_time())
json.dump([spent[1] - spent[0], spent[2] - spent[1], size], sys.stdout)
"""


def main() -> int:
    """Measure, print, and settle the claims."""
    print(f"{'benchmarks':>10}  {'first, s':>9}  {'again, s':>9}  {'MB':>5}")
    for size in SIZES:
        rounds = [measured(size) for _ in range(ROUNDS)]
        first_s, again_s, written = (median(column) for column in zip(*rounds, strict=True))
        print(f"{size:>10}  {first_s:>9.2f}  {again_s:>9.2f}  {written / 1e6:>5.2f}")
    return settle(
        [
            Claim(f"{SIZES[-1]} benchmarks: {first_s:.2f} s, at most {LONGEST_S:g}", first_s <= LONGEST_S),
            Claim(
                f"{SIZES[-1]} benchmarks: {written / 1e6:.2f} MB, less than {LARGEST_BYTES / 1e6:g}",
                written < LARGEST_BYTES,
            ),
        ]
    )


def measured(benchmarks: int) -> tuple[float, float, int]:
    """CPU seconds of the first rendering, with its imports, and of another one; and bytes."""
    command = [sys.executable, "-c", ONE, str(benchmarks)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=sys.path[0])
    first_s, again_s, size = json.loads(done.stdout)
    return first_s, again_s, size


if __name__ == "__main__":
    sys.exit(main())
