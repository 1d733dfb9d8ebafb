"""Draw docs/comment.png from a report: `python docs/comment_picture.py build/demo/report.json`, after `make demo`.

The comment is rendered by GitHub's own Markdown parser (cmark-gfm) and a stylesheet like GitHub's, and photographed by
Chromium, which has to be installed, with the font Noto Color Emoji.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options

from energygate.report.json import decode_report
from energygate.report.markdown import render_markdown
from energygate.report.publication import Publication

OUT = Path(__file__).with_name("comment.png")
WIDTH = 806
REPOSITORY = "https://github.com/OWNER/REPOSITORY"
STYLE = """
body { margin: 0; padding: 12px; width: fit-content; background: #fff; color: #1f2328;
       font: 14px/1.5 "Noto Sans", "Liberation Sans", Arial, sans-serif; }
.comment { width: 780px; border: 1px solid #d1d9e0; border-radius: 6px; }
.by { padding: 8px 16px; background: #f6f8fa; border-bottom: 1px solid #d1d9e0; color: #59636e; }
.text { padding: 16px 16px 0; }
h2 { margin: 0 0 16px; padding-bottom: .3em; border-bottom: 1px solid #d1d9e0; font-size: 21px; line-height: 1.25; }
p, ul, table, details, pre { margin: 0 0 16px; }
ul { padding-left: 2em; }
ul ul { margin: 0; }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%; overflow: auto; }
th, td { padding: 6px 13px; border: 1px solid #d1d9e0; }
code { padding: .2em .4em; border-radius: 6px; background: #eff1f3; font: 85% "DejaVu Sans Mono", monospace; }
h2 code { font-size: inherit; }
a, a code { color: #0969da; }
"""
PAGE = """<!doctype html><meta charset="utf-8"><style>{style}</style>
<div class="comment"><div class="by"><b>github-actions</b> bot commented</div><div class="text">{text}</div></div>
<script>document.body.dataset.height = document.body.offsetHeight</script>"""


def main(report: Path) -> None:
    """Render the report as a pull request shows it."""
    shown = decode_report(report.read_bytes(), origin=str(report))
    publication = Publication(
        repository_url=REPOSITORY,
        run_url=f"{REPOSITORY}/actions/runs/1",
        run_id=1,
        attempt=1,
        head=shown.head.commit or "",
    )
    text = cmarkgfm.github_flavored_markdown_to_html(
        render_markdown(shown, publication),
        options=Options.CMARK_OPT_UNSAFE,  # keeps <details>
    )
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "comment.html"
        page.write_text(PAGE.format(style=STYLE, text=text), encoding="utf-8")
        height = re.search('data-height="([0-9]+)"', chromium(page, "--dump-dom", height=100))
        chromium(page, f"--screenshot={OUT}", height=int(height[1]))


def chromium(page: Path, task: str, *, height: int) -> str:
    """Have a page drawn; give what Chromium says."""
    how = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WIDTH},{height}")
    command = ["chromium", *how, task, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  arguments are ours


if __name__ == "__main__":
    main(Path(sys.argv[1]))
