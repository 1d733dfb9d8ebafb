"""Reports to be rendered, and what GitHub makes of their Markdown."""

import html
import re

import cmarkgfm
from cmarkgfm.cmark import Options
from fakes import COMMIT, a_meter, a_report, a_row
from msgspec.structs import replace

from energygate.model import BaselineRuns, Head, Metric, Outcome, TrialCounts
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


_CHAT = {"benchmark": "chat.energy.yml::chat", "outcome": Outcome.REGRESSED}
WHOLE = replace(
    a_report(
        a_row(
            **_CHAT,
            metric=Metric.J_PER_REQUEST,
            reason="+12.5 % against 4 stored sessions: above the budget of 5 %.",
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
            **_CHAT,
            metric=Metric.J_PER_OUTPUT_TOKEN,
            reason="shown beside J/request, which decides.",
            base=0.0192,
            head=0.0216,
            ratio=1.126,
            ratio_low=1.092,
            ratio_high=1.159,
            p_adjusted=None,
            trials=TrialCounts(base=40, head=10, invalid=1),
        ),
        a_row(
            outcome=Outcome.INCONCLUSIVE,
            benchmark="bench.py::test_embed[a|b]",
            reason="+6.5 %: neither within the budget of 5 % nor above it. 4 stored sessions could detect +9.0 %. "
            "Record more sessions, or make trials longer.",
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
            outcome=Outcome.INCONCLUSIVE,
            benchmark="chat.energy.yml::chat",
            metric=Metric.J_PER_REQUEST,
            how="limit",
            reason="3.84 J/request is above the limit of 3.80 J/request, not established. Measure more trials, or "
            "record more sessions.",
            base=3.8,
            head=3.84,
            ratio=1.011,
            ratio_low=0.972,
            ratio_high=1.05,
            p_adjusted=None,
            trials=TrialCounts(base=40, head=10, invalid=1),
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
        a_row(benchmark="bench.py::test_max", trials=TrialCounts(base=40, head=10)),
        a_row(benchmark="bench.py::test_sum", trials=TrialCounts(base=40, head=10)),
        exit_code=1,
        verdict="failed",
        warnings=("the working tree has uncommitted changes: this report describes no commit",),
    ),
    baseline=BaselineRuns(
        runs=tuple(f"2026110{day}T031500Z-000000000{day}" for day in (4, 3, 2, 1)), commits=(COMMIT,) * 4
    ),
    meters=(a_meter(), replace(a_meter(name="nvml", domains=("gpu-0",)), update_interval_s=0.1)),
)
"""What a gate reports of a working tree, against stored sessions alone: worst first."""

BASE = "894a" * 10
_BLOCKS = {"how": "interleaved", "sessions": 0, "blocks": 10, "trials": TrialCounts(base=10, head=10, invalid=1)}
_FIRST, _BESIDE, *_OTHERS = WHOLE.comparisons
IN_TURNS = replace(
    WHOLE,
    base=Head(run_id="20261122T031500Z-00000000aa", commit=BASE),
    comparisons=(
        replace(_FIRST, **_BLOCKS, reason="+12.5 % against the base in 10 blocks: above the budget of 5 %.", notes=()),
        replace(_BESIDE, **_BLOCKS),
        *_OTHERS,
    ),
    warnings=(),
)
"""What a gate reports of a pull request whose one suspect was measured again, in turns with its base."""


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
