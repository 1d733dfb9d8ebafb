"""Draw docs/verdict.svg from a report: `python docs/verdict_picture.py build/demo/report.json`, after `make demo`."""

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from energygate.report.json import decode_report
from energygate.report.terminal import render_terminal

OUT = Path(__file__).with_name("verdict.svg")
WIDTH = 84


def main(report: Path) -> None:
    """Render the report as the terminal shows it, into an SVG that loads nothing from elsewhere."""
    found = decode_report(report.read_bytes(), origin=str(report))
    text = render_terminal(found, color=True, width=WIDTH)
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print("$ energygate run chat.energy.yml --allow-estimates", style="bold")
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="a system prompt that makes the model ramble", unique_id="verdict")
    OUT.write_text(re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
