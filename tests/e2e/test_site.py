"""The documentation as a site, built as `make docs` does."""

import re
import subprocess
import sys

import pytest
from rig.documents import ROOT

SPHINX = (sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--keep-going", "--quiet")
LOADED = r"<(?:script|link|img|iframe)[^>]*?(?:src|href)=|@import |url\("
ABROAD = re.compile(rf"""(?:{LOADED})["']?(?:https?:)?//[^"')\s]+""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [*SPHINX, "-c", "docs", "-d", str(folder / "doctrees"), ".", str(folder / "html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")  # a broken link, or a page that no list leads to
    return folder / "html"


def test_the_site_has_every_page_and_begins_with_the_readme(site):
    missing = [path.stem for path in ROOT.glob("docs/*.md") if not (site / "docs" / f"{path.stem}.html").is_file()]
    assert missing == []
    assert "energy-regression gate" in (site / "index.html").read_text(encoding="utf-8")


def test_the_site_loads_nothing_from_elsewhere(site):
    files = [*site.glob("*.html"), *site.glob("docs/*.html"), *site.rglob("*.css")]
    abroad = {found for file in files for found in ABROAD.findall(file.read_text(encoding="utf-8"))}
    assert (len(files) > 20, abroad) == (True, set())
