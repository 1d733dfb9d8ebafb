"""Reports to be rendered, and what GitHub makes of their Markdown."""

import html
import re

import cmarkgfm
from cmarkgfm.cmark import Options
from fakes import a_report, a_row

from energygate.model import Metric, Outcome, TrialCounts
from energygate.report.publication import Publication

HEAD = "f541" * 10
URL = "https://github.com/acme/widgets"


def rendered(markdown):
    """What GitHub shows. UNSAFE keeps raw HTML, so that `<details>` and what must not become HTML can be seen."""
    return cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE)


def cells_of(markdown):
    """The cells of every table row but the header, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", rendered(markdown), re.DOTALL)
    return [
        [html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in rows
        if "<td" in row
    ]


WHOLE = a_report(
    a_row(
        outcome=Outcome.REGRESSED,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_REQUEST,
        reason="+12.5 % against 4 stored sessions, not within the budget of 5 %.",
        base=3.41,
        head=3.84,
        ratio=1.125,
        ratio_low=1.091,
        ratio_high=1.158,
        p_adjusted=1e-4,
        trials=TrialCounts(base=40, head=10, invalid=1),
        domains={"package-0": 1.13, "gpu-0": 1.01},
        work={"output_tokens": 1.001},
        notes=("model: a \N{RIGHTWARDS ARROW} b",),
        history=(3.38, 3.42, 3.40, 3.41),
    ),
    a_row(
        outcome=Outcome.REGRESSED,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_OUTPUT_TOKEN,
        base=0.0192,
        head=0.0216,
        ratio=1.126,
        ratio_low=1.092,
        ratio_high=1.159,
    ),
    a_row(
        outcome=Outcome.OVER_LIMIT,
        benchmark="chat.energy.yml::chat",
        metric=Metric.J_PER_REQUEST,
        how="limit",
        reason="3.84 J/request is above the limit of 3.50 J/request.",
        base=3.5,
        head=3.84,
        ratio=1.097,
        ratio_low=1.05,
        ratio_high=1.14,
        p_adjusted=None,
        trials=TrialCounts(base=40, head=10),
    ),
    a_row(
        outcome=Outcome.INCONCLUSIVE,
        benchmark="bench.py::test_embed[a|b]",
        reason="+6.5 %: neither within the budget of 5 % nor above it.",
        base=0.31,
        head=0.33,
        ratio=1.065,
        ratio_low=0.978,
        ratio_high=1.159,
        p_adjusted=0.16,
        detectable=1.09,
        trials=TrialCounts(base=40, head=10),
    ),
    a_row(
        outcome=Outcome.NO_BASELINE,
        benchmark="bench.py::test_new",
        reason="no stored run has it yet. Record one on the main branch.",
        base=None,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        p_adjusted=None,
        sessions=0,
        trials=TrialCounts(head=10),
    ),
    a_row(benchmark="bench.py::test_sum", trials=TrialCounts(base=40, head=10)),
    a_row(benchmark="bench.py::test_max", trials=TrialCounts(base=40, head=10)),
    exit_code=1,
    verdict="failed",
    warnings=("the working tree has uncommitted changes: this report describes no commit",),
)


def published(**more):
    """Give what is known of the first attempt of one run, unless `more` says otherwise."""
    known = {
        "repository_url": URL,
        "run_url": f"{URL}/actions/runs/123",
        "run_id": 123,
        "attempt": 1,
        "head": HEAD,
    }
    return Publication(**known | more)


def is_well_formed(text):
    """Whether each folded part ends, and each row has as many cells as the head of its table."""
    shown = rendered(text)
    tables = re.findall("<table>(.*?)</table>", shown, re.DOTALL)
    widths = [
        [len(re.findall("<t[hd][ >]", row)) for row in re.findall("<tr>.*?</tr>", each, re.DOTALL)] for each in tables
    ]
    return (
        shown.count("<details>") == shown.count("</details>")
        and all(len(set(each)) == 1 for each in widths)
        and not re.search(r"<p>[^<]*\|", shown)
    )
