"""Draw docs/report.png from a report: `python benchmarks/example_report.py > REPORT.json` makes one that is simulated.

    python docs/report_picture.py REPORT.json

The report is rendered as `energygate report report.json --report html:FILE` does, opened at its first benchmark by
Chromium, which has to be installed, and photographed down to the first figure.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from energygate.report.html import render_html
from energygate.report.json import decode_report

OUT = Path(__file__).with_name("report.png")
WIDTH = 1180
LAST = "#b1 [data-figure=ratios]"
BELOW = 24
CHROMIUM = "/usr/bin/chromium"


def main(report: Path) -> None:
    """Photograph the report as a reader has it on opening its first benchmark."""
    text = render_html(decode_report(report.read_bytes(), origin=str(report)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        file = Path(folder) / "report.html"
        file.write_text(text, encoding="utf-8")
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, reduced_motion="reduce")
        page.goto(file.as_uri())
        page.click("#b1 button.opens")
        page.locator("#b1 .figures:not(.waiting) figure").last.locator("svg.main-svg").first.wait_for()
        page.mouse.move(0, 0)
        end = page.evaluate(f"document.querySelector('{LAST}').getBoundingClientRect().bottom + scrollY")
        page.screenshot(path=OUT, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": end + BELOW})
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
