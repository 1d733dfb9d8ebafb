"""What each format says of energy in other terms: of each benchmark of how many units, and figures by their unit."""

import re
from collections.abc import Iterator, Mapping

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from report_readers import Page, markdown_page, words_of

Told = tuple[str, tuple[str, Mapping[str, str | float]]]
_UNITS = ("Wh", "EUR", "g CO2e")


def read_terms_markdown(data: bytes) -> Iterator[Told]:
    for table in markdown_page(data).root.iter("table"):
        heads = [words_of(cell) for cell in table.iter("th")]
        if heads[1:2] == ["per"]:
            for line in table.find("tbody").iter("tr"):
                name, per, *figures = map(words_of, line.iter("td"))
                yield name, (per, _by_unit(figures))


def read_terms_html(data: bytes) -> Iterator[Told]:
    for group in Page(data.decode()).root.iter("tbody"):
        for pair in group.iter("div"):
            if words_of(pair.find("dt")) == "in other terms":
                yield group.attrib["data-name"], _sentence(words_of(pair.find("dd")))


def read_terms_terminal(data: bytes) -> Iterator[Told]:
    for line in data.decode().splitlines():
        name, found, sentence = line.partition(", per ")
        if found:
            yield name, _sentence(f"per {sentence}")


def read_terms_openmetrics(data: bytes) -> Iterator[Told]:
    told: dict[str, tuple[str, dict[str, str | float]]] = {}
    for family in text_string_to_metric_families(data.decode()):
        for sample in family.samples:
            if sample.name in {"energygate_carbon_grams", "energygate_cost"}:
                of = sample.labels
                figures = told.setdefault(of["benchmark"], (of["per"], {}))[1]
                figures[of.get("currency", "g CO2e")] = sample.value
    yield from told.items()


def _sentence(text: str) -> tuple[str, Mapping[str, str]]:
    per, _, figures = text.removeprefix("per ").partition(": ")
    return per, _by_unit(figures.split(", "))


def _by_unit(figures: list[str]) -> dict[str, str]:
    return {next(unit for unit in _UNITS if re.search(rf" \S?{unit}$", each)): each for each in figures}
