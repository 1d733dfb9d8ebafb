"""Foreign text at its worst, and a report that has it wherever a report takes text."""

import datetime as dt

from fakes import COMMIT, a_report, a_row
from hypothesis import strategies as st
from msgspec.structs import replace

from energygate.model import (
    Acceptance,
    BaselineRuns,
    Embodied,
    Evidence,
    Head,
    Intensity,
    Level,
    Location,
    Machine,
    MeterInfo,
    Metric,
    Net,
    Outcome,
    Point,
    Side,
    Terms,
    Times,
    TrialCounts,
)
from energygate.report.concluded import concluded

FLAG = "\N{GREEK CAPITAL LETTER OMEGA}"  # stands in every hostile text, and nowhere in ours
RUN_ID = "20261122T031500Z-1a2b3c4d5e"
AT = dt.datetime(2026, 11, 22, 3, 15, tzinfo=dt.UTC)
NAMED = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a|b",
    "two\nlines\r\nand\rmore\u2028and\x85more",
    "\n/close\n/label ~bug",
    "x" * 500,
    "\u202egnp.exe\u202c \u200f \u2066x\u2069 \u200b\ufeff",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J\x7f",
    "::error::failed",
    "\n::error file=a.py::failed\n##[error]x",
    "::stop-commands::x",
    "]]>",
    "<![CDATA[x]]><!-- x --><?xml version='1.0'?>&lol;&#0;&#x1b;",
    "[[ATTACHMENT|/etc/passwd]]",
    "=cmd|' /C calc'!A0",
    "+1-1@SUM(1)",
    '","a\n,b,"',
    'x"} 1\nenergygate_ratio{benchmark="y',
    '\\"\\n\\',
    "```\n# x\n```",
    "[x](javascript:alert(1)) ![x](https://evil.example/x.png) https://evil.example",
    "@org/team #1 !2 acme/widgets#3",
    "{{ 7*7 }}{% raw %}${{ secrets.TOKEN }}$(id)`id`",
    "\x00\ufffe\uffff\U0010ffff",
    "../../etc/passwd",
    "javascript:alert(1)",
    " ",
)
"""What is known to be acted on somewhere; each is a whole name."""

PIECES = st.sampled_from(
    [
        *"`|\\<>&*_[]()!#@~:-+'\"$;/ a1=%{},",
        *NAMED,
        "\n\n",
        "```",
        "~~~",
        "<!-- energygate:v1:default -->",
        "</summary>",
        "</details>",
        "</td></tr></table>",
        "\u2028",
        "\u202e",
        "\u200b",
        "\x00",
        FLAG,
    ]
)
HOSTILE = st.lists(PIECES, max_size=12).map(lambda pieces: f"{FLAG}{''.join(pieces)}{FLAG}"[:700])


def a_whole_report(text, outcome):
    """Every part of a report, with foreign text wherever one takes any."""
    moved = {"outcome": outcome, "detectable": 1.03, "notes": (text, text), "reason": text}
    hard, soft = {text: text, "cpus": [text]}, {text: {text: text}}
    machine = Machine(fingerprint="0123456789ab", label=text, hard=hard, soft=soft)
    whole = replace(
        a_report(
            a_row(
                benchmark=text,
                metric=Metric.J_PER_REQUEST,
                ratio=1.125,
                trials=TrialCounts(base=40, head=10, invalid=1),
                domains={text: 1.13, "gpu-0": 1.01},
                work={text: 1.001, "output_tokens": 1.1},
                times={"ttft_s": Times(head=0.4, base=0.3), text: Times(head=0.1)},
                net=Net(idle_w=20.0, base=90.0, head=91.0, uncertainty=0.5),
                location=Location(file=text, line=3),
                history=(1.0, 2.0, 3.0),
                estimated=True,
                label="integrated power",
                **moved,
            ),
            a_row(benchmark=text, metric=Metric.J_PER_OUTPUT_TOKEN, outcome=outcome),
            a_row(benchmark=text, how="anchor", anchor=text, **moved),
            a_row(benchmark=text, how="limit", **moved),
            a_row(benchmark=f"{text}2", net=Net(refused=text), how="interleaved", blocks=12, **moved),
            a_row(benchmark=f"{text}3", reason=text),
            warnings=(text, f"policy: {text}"),
            notes=(text,),
        ),
        tool={"energygate": text, "python": text},
        head=Head(run_id=RUN_ID, commit=COMMIT, repository=text, branch=text),
        base=Head(run_id=RUN_ID, commit=COMMIT),
        baseline=BaselineRuns(runs=(RUN_ID,), commits=(COMMIT,), machine=replace(machine, soft={text: [text]})),
        machine=machine,
        meters=(
            MeterInfo(name=text, kind="counter", domains=(text,), update_interval_s=0.1, resolution_j=1e-6),
            MeterInfo(name=text, kind="estimate", domains=(text,), update_interval_s=0, resolution_j=0, detail=text),
        ),
        evidence=(_evidence(text, text), _evidence(f"{text}2", text)),
        terms=Terms(
            price_per_kwh=0.3,
            currency="EUR",
            pue=1.2,
            intensity=Intensity(g_co2e_per_kwh=381.0, source=text, zone=text, year=2024),
            unknown=text,
            embodied=Embodied(total_g_co2e=1e6, lifespan_s=1e8, share=0.5, source=text),
        ),
    )
    return concluded(whole)


def _evidence(name, text):
    point = Point(
        started_s=0.0,
        duration_s=3.2,
        energy_j={text: 100.0},
        value=100.0,
        temperature_c={text: 60.0},
        throttled=(text,),
        invalid=text,
    )
    side = Side(run_id=RUN_ID, commit=COMMIT, at=AT, points=(point, replace(point, invalid=None)))
    level = Level(
        run_id=RUN_ID,
        commit=COMMIT,
        at=AT,
        value=100.0,
        values=(99.0, 101.0),
        change=1.2,
        accepted=(Acceptance(benchmark=name, by=text, reason=text, at=AT),),
    )
    return Evidence(
        benchmark=name,
        metric=Metric.J_PER_REQUEST,
        labels={text: text},
        head=side,
        turns=(side, side),
        history=(level, replace(level, is_shifted=True, change=None)),
    )


def outcomes():
    """Every outcome that a row can have."""
    return st.sampled_from(list(Outcome))
