"""The documentation as a site: `make docs` builds it into build/site, by Sphinx, with MyST for the Markdown.

The sources are the files that GitHub shows, at their places, so that every relative link holds on both. The table of
contents is the only thing that GitHub does not need; it is appended to the front page while it is read.
"""

import shutil
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

EXAMPLES: Final = ("pytest_cpu", "command", "llm_suite", "workflows")
CONTENTS: Final = {
    "Begin": ["docs/tutorial", "docs/concepts", "docs/faq"],
    "Measure": ["docs/measuring", "docs/pytest", "docs/inference", "docs/configuration", "docs/cli"],
    "Judge": ["docs/statistics", "docs/baselines"],
    "In CI": ["docs/github", "docs/gitlab", "docs/ci-recipes"],
    "Report": ["docs/exports", "docs/telemetry", "docs/carbon"],
    "Examples": ["examples/README", *(f"examples/{name}/README" for name in EXAMPLES)],
    "Compared": ["docs/comparison", "benchmarks/README", "benchmarks/data/README"],
    "Project": ["docs/adr/README", "CONTRIBUTING", "tests/README", "SECURITY", "CHANGELOG"],
}
DECISIONS: Final = "[0-9]*"  # beside the page that lists them

project = "energygate"
copyright = "the energygate contributors"  # noqa: A001  Sphinx's name
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["README.md", "docs/**.md", *(f"{name}.md" for names in CONTENTS.values() for name in names)]
highlight_language = "none"  # a block without a language is a transcript or a drawing
myst_heading_anchors = 4  # slugs are GitHub's
html_theme = "furo"  # fonts, search and styles are files of the site: it works without a network
html_title = "energygate"
html_copy_source = False
html_show_sourcelink = False


def setup(app: Sphinx) -> None:
    """Let Sphinx append the contents, and make the front page what a folder's address shows."""
    app.connect("source-read", append_contents)
    app.connect("build-finished", make_index)


def append_contents(_: Sphinx, name: str, source: list[str]) -> None:
    """Append what the front page leads to, in the order of the sidebar."""
    if name == root_doc:
        source[0] += "".join(_contents(caption, names) for caption, names in CONTENTS.items())
    if name == "docs/adr/README":
        source[0] += _contents("Decisions", [DECISIONS])


def make_index(app: Sphinx, fault: Exception | None) -> None:
    """Copy the front page to index.html."""
    if fault is None:
        shutil.copyfile(Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html"))


def _contents(caption: str, names: list[str]) -> str:
    return "\n\n```{toctree}\n:hidden:\n:glob:\n:caption: " + caption + "\n\n" + "\n".join(names) + "\n```\n"
