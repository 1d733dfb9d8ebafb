"""Carbon and money, where the report has them: by somebody's factors, and in no verdict."""

from collections.abc import Iterator
from typing import Final

from energygate.report.openmetrics.exposition import Family, Sample
from energygate.report.openmetrics.subject import Subject
from energygate.report.terms import InTerms, assumptions, in_terms
from energygate.workloads.text import printable

CARBON: Final = Family(
    name="energygate_carbon_grams",
    labels=("repository", "benchmark", "per", "lacks", "energy"),
    help="Grams of CO2 equivalents of the head, by the factors of energygate_assumption_info; in no verdict.",
    unit="grams",
)
COST: Final = Family(
    name="energygate_cost",
    labels=("repository", "benchmark", "per", "currency", "energy"),
    help="Money for the energy of the head, by the price of energygate_assumption_info; in no verdict.",
)
ASSUMPTION: Final = Family(
    name="energygate_assumption_info",
    labels=("repository", "assumption"),
    help="What carbon and cost rest on, with source and date, and what they do not count. Always 1.",
)


def carbon(subject: Subject) -> Iterator[Sample]:
    """Give the carbon of each benchmark for which it is known."""
    for each in in_terms(subject.report):
        if each.carbon_g is not None:
            labels = _labels(subject, each, lacks=printable(each.remark))
            yield Sample(value=each.carbon_g, labels=labels)


def cost(subject: Subject) -> Iterator[Sample]:
    """Give the cost of each benchmark for which a price is known."""
    for each in in_terms(subject.report):
        if each.cost is not None:
            labels = _labels(subject, each, currency=each.currency)
            yield Sample(value=each.cost, labels=labels)


def assumption(subject: Subject) -> Iterator[Sample]:
    """Say what they rest on."""
    for sentence in assumptions(subject.report):
        yield Sample(value=1, labels={"repository": subject.repository, "assumption": printable(sentence)})


def _labels(subject: Subject, each: InTerms, **more: str) -> dict[str, str]:
    # Not `reading`: the joules may be measured, but what is made of them by a factor is not.
    return subject.labels(each.row, per=each.per, energy=subject.reading(each.row), **more)
