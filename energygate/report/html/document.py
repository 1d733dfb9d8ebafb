"""The whole report as one HTML file."""

from energygate.model import GateReport
from energygate.report import rows
from energygate.report.html.figures import drawn
from energygate.report.html.intervals import scale_for
from energygate.report.html.method import method
from energygate.report.html.opening import opening
from energygate.report.html.page import fill
from energygate.report.html.section import section
from energygate.report.html.table import by_benchmark, group
from energygate.report.terms import in_terms


def render_html(report: GateReport) -> str:
    """Render a report as one file: it works without a network, and everything that is not ours is escaped."""
    policy, found = report.policy, by_benchmark(report)
    evidence = {each.benchmark: each for each in report.evidence}
    terms = {each.row.benchmark: each for each in in_terms(report)}
    scale = scale_for(report.comparisons, policy.budget)
    known = [(name, lines, evidence.get(name)) for name, lines in found.items()]
    return fill(
        "report.html",
        [drawn(lines, rests_on, budget=policy.budget) for _, lines, rests_on in known],
        title=f"Energy: {rows.title(report)}",
        opening=opening(report),
        groups=[
            group(name, lines, scale, policy.budget if rests_on is None else rests_on.budget)
            for name, lines, rests_on in known
        ],
        sections=[section(report, lines, rests_on, terms.get(name)) for name, lines, rests_on in known],
        scale=scale,
        method=method(report),
        tool=report.tool.get("energygate", "?"),
        run_id=report.head.run_id,
    )
