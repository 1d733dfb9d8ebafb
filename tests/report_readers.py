"""What each format says, read back from its bytes by a parser of that format, to be held against the report.

A reader gives a `Said` for each comparison that it finds, with what the format shows of it: exact numbers where the
format has them, else the words in which they are shown. A figure that a format does not show is `...`.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from types import EllipsisType
from xml.etree import ElementTree as ET

import cmarkgfm
from cmarkgfm.cmark import Options
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from energygate.model import Metric, Row
from energygate.report.rows import WORDS

Figure = float | str | None | EllipsisType
_UNITS = {metric.unit: metric for metric in Metric}
_BY_WORDS = {words: outcome.value for outcome, words in WORDS.items()}
_VOID = {"br", "hr", "img", "input", "link", "meta"}
_ANCHORED = re.compile(r" ?\(?anchor (?P<name>.+?)\)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a format says of one comparison; words of two figures may stand in one."""

    benchmark: str
    how: str = ""
    anchor: str = ""
    metric: Metric | None = None
    outcome: str | EllipsisType = ...
    base: Figure = ...
    head: Figure = ...
    ratio: Figure = ...
    ratio_low: Figure = ...
    ratio_high: Figure = ...
    label: str | EllipsisType = ...

    def is_of(self, row: Row) -> bool:
        """Whether it can be about that row."""
        how = row.how if row.how in {"limit", "anchor"} else ""
        same = (self.benchmark, self.how, self.anchor) == (row.benchmark, how, row.anchor)
        return same and self.metric in {None, row.metric}


class Page(HTMLParser):
    """An HTML document as a tree."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._builder = ET.TreeBuilder(insert_comments=True)
        self._builder.start("page", {})
        self.comments: list[str] = []
        self.feed(text)
        self.close()
        self._builder.end("page")
        self.root = self._builder.close()

    def handle_starttag(self, tag, attrs):
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in _VOID:
            self._builder.end(tag)

    def handle_startendtag(self, tag, attrs):
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        self._builder.end(tag)

    def handle_endtag(self, tag):
        if tag not in _VOID:
            self._builder.end(tag)

    def handle_data(self, data):
        self._builder.data(data)

    def handle_comment(self, data):
        self.comments.append(data)


def markdown_page(data: bytes) -> Page:
    """What a server makes of Markdown. UNSAFE keeps raw HTML, so that what must not become HTML can be seen."""
    return Page(cmarkgfm.github_flavored_markdown_to_html(data.decode(), options=Options.CMARK_OPT_UNSAFE))


def words_of(element: ET.Element | None) -> str:
    """The text in an element."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def read_json(data: bytes) -> Iterator[Said]:
    for row in json.loads(data)["comparisons"]:
        figures = {name: row[name] for name in ("outcome", "base", "head", "ratio", "ratio_low", "ratio_high")}
        yield _said(row["benchmark"], row["how"], row["anchor"], row["metric"], label=row["label"], **figures)


def read_csv(data: bytes) -> Iterator[Said]:
    for row in csv.DictReader(data.decode().splitlines(keepends=True)):
        figures = {name: _number(row[name]) for name in ("base", "head", "ratio", "ratio_low", "ratio_high")}
        how, anchor, metric = row["how"], row["anchor"], row["metric"]
        yield _said(row["benchmark"], how, anchor, metric, outcome=row["outcome"], label=row["label"], **figures)


def read_junit(data: bytes) -> Iterator[Said]:
    for case in ET.fromstring(data).iter("testcase"):
        found: dict[str, dict[str, str]] = {}
        for each in case.iter("property"):
            of, _, figure = each.attrib["name"].rpartition(".")
            found.setdefault(of, {})[figure] = each.attrib["value"]
        for of, figures in found.items():
            metric, _, kind = of.partition(".")
            how, _, anchor = kind.partition(" ")
            numbers = {
                name: _number(figures.get(name, "")) for name in ("base", "head", "ratio", "ratio_low", "ratio_high")
            }
            label = figures.get("label", "")
            yield _said(case.attrib["name"], how, anchor, metric, outcome=figures["outcome"], label=label, **numbers)


def read_openmetrics(data: bytes) -> Iterator[Said]:
    samples = [sample for family in text_string_to_metric_families(data.decode()) for sample in family.samples]
    values = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(values) == len(samples), "two samples have the same labels"

    def value_of(name: str, **labels: str) -> float | None:
        return values.get((name, frozenset((key, value) for key, value in labels.items() if value)))

    for outcome in [sample for sample in samples if sample.name == "energygate_outcome"]:
        of = {key: value for key, value in outcome.labels.items() if key != "outcome"}
        metric, how, anchor = Metric(of["metric"]), of["against"], of.get("anchor", "")
        level = f"energygate_{_LEVELS[metric]}"
        both = {key: of.get(key, "") for key in ("repository", "benchmark")}
        side = "base" if how == "baseline" else how
        reading = "" if how == "limit" else of["reading"]  # the limit itself is neither measured nor estimated
        yield _said(
            of["benchmark"],
            how,
            anchor,
            metric,
            outcome=outcome.labels["outcome"],
            base=value_of(level, **both, side=side, anchor=anchor, reading=reading),
            head=value_of(level, **both, side="head", reading=of["reading"]) if how == "baseline" else ...,
            ratio=value_of("energygate_ratio", **of),
            ratio_low=value_of("energygate_ratio_low", **of),
            ratio_high=value_of("energygate_ratio_high", **of),
            label="" if of["reading"] == "measured" else of["reading"],
        )


_LEVELS = {
    Metric.J_PER_REQUEST: "joules_per_request",
    Metric.J_PER_OUTPUT_TOKEN: "joules_per_output_token",
    Metric.J_PER_TOTAL_TOKEN: "joules_per_total_token",
    Metric.ENERGY_J: "energy_joules",
    Metric.DURATION_S: "duration_seconds",
}


def read_markdown(data: bytes) -> Iterator[Said]:
    for table in markdown_page(data).root.iter("table"):
        heads = [words_of(cell) for cell in table.iter("th")]
        if heads[1:3] != ["benchmark", "outcome"]:
            continue
        for line in table.find("tbody").iter("tr"):
            cells = dict(zip(heads, line.iter("td"), strict=True))
            name = words_of(cells["benchmark"].find("code"))
            how, anchor = _kind(words_of(cells["benchmark"]).removeprefix(name))
            word = words_of(cells["outcome"].find("strong"))
            change, ends = _split(words_of(cells["change (90 % interval)"]))
            base, head = words_of(cells["base"]), words_of(cells["head"])
            yield _shown(name, how, anchor, base=base, head=head, change=change, ends=ends, outcome=word)
            beside = words_of(cells.get("per output token"))
            if beside not in {"", "\N{EN DASH}"}:
                head, _, changed = beside.partition(", ")
                change, ends = _split(changed)
                yield _shown(name, how, anchor, base=..., head=head, change=change, ends=ends)


def read_html(data: bytes) -> Iterator[Said]:
    for group in Page(data.decode()).root.iter("tbody"):
        if "data-outcomes" not in group.attrib:
            continue
        name = group.attrib["data-name"]
        for line in [each for each in group.iter("tr") if "line" in each.attrib["class"].split()]:
            cells = {each.attrib["class"].split()[-1]: each for each in line.iter("td")}
            label = words_of(line.find(".//span[@class='label']"))
            how, anchor = _kind("" if label in {name, "also"} else label.removeprefix(name))
            word = words_of(cells["outcome"])
            sides = {side: _first(cells[side]) for side in ("base", "head")}
            change, ends = _split(_first(cells["change"]))
            yield _shown(name, how, anchor, **sides, change=change, ends=ends, outcome=word)
            second = {key: words_of(cells[key].find("span[@class='second']")) for key in ("base", "head", "change")}
            if second["head"]:
                change, ends = _split(second.pop("change"))
                yield _shown(name, how, anchor, **second, change=change, ends=ends)


def _first(cell: ET.Element) -> str:
    """The text of a cell without what stands second in it."""
    second = cell.find("span[@class='second']")
    return words_of(cell).removesuffix(words_of(second)).strip()


_FIGURES = re.compile(
    r"(?P<base>limit \S+|\S+)\s+"
    r"(?P<head>\S+ [m\N{MICRO SIGN}]?(?:J/request|J/token|J/total token|J|s)(?: \([a-z ]+\))?)"
    r"(?:\s+(?P<change>[+\N{MINUS SIGN}]?[\d.]+ %)(?:\s+(?P<ends>\S+ \N{HORIZONTAL ELLIPSIS} \S+))?)?"
)


def read_terminal(data: bytes) -> Iterator[Said]:
    """Read the table: a line that begins with a verdict begins a benchmark, whose figures may stand below its name."""
    name, word, figures = "", "", []
    for line in [*data.decode().splitlines(), "energy: "]:
        begun = re.match(rf"({'|'.join(_BY_WORDS)})  +(?=\S)", line)
        if (begun or not line.startswith(" ")) and word:
            yield from _of_terminal(name, word, figures)
            name, word, figures = "", "", []
        if begun:
            rest, word = line[begun.end() :], begun[1]
            beside = re.search(rf"\s{_FIGURES.pattern}$", rest)
            name, figures = (rest[: beside.start()].strip(), [beside]) if beside else (rest, [])
        elif found := _FIGURES.fullmatch(line.strip()):
            figures.append(found)


def _of_terminal(name: str, word: str, figures: list[re.Match[str]]) -> Iterator[Said]:
    kind = re.search(r" \((limit|anchor .+)\)$", name)
    how, anchor = _kind(kind[0] if kind else "")
    name, outcome = name[: kind.start()] if kind else name, word
    for found in figures:
        said = {key: found[key] or "" for key in ("base", "head", "change", "ends")}
        yield _shown(name, how, anchor, **said, outcome=outcome)
        outcome = ...
    if not figures:
        yield _shown(name, how, anchor, base="", head="", change="", ends="", outcome=outcome)


def read_codequality(data: bytes) -> Iterator[Said]:
    for found in json.loads(data):
        if found["check_name"] == "energygate/failed":
            continue  # of the run as a whole
        word, _, text = found["description"].partition(": ")
        name, _, figures = text.partition(": ")
        kind = re.search(r" \((limit|anchor .+)\)$", name)
        how, anchor = _kind(kind[0] if kind else "")
        change = re.search(r"(\S+ %)(?: against the limit)? \(90 % CI (\S+ \N{HORIZONTAL ELLIPSIS} \S+)\)", figures)
        sides = re.search(r"; (?:(\S+) \N{RIGHTWARDS ARROW} )?([^;,]+)(?:, limit ([^;]+))?; ", figures)
        yield _shown(
            name[: kind.start()] if kind else name,
            how,
            anchor,
            base=(sides[3] or sides[1] or "") if sides else "",
            head=sides[2] if sides else "",
            change=change[1] if change else "",
            ends=change[2] if change else "",
            outcome=word,
        )


def _said(name: str, how: str, anchor: str, metric: str, **figures: object) -> Said:
    kind = how if how in {"limit", "anchor"} else ""
    return Said(benchmark=name, how=kind, anchor=anchor, metric=Metric(metric), **figures)


def _shown(
    name: str,
    how: str,
    anchor: str,
    *,
    base: str | EllipsisType,
    head: str,
    change: str,
    ends: str,
    outcome: str | EllipsisType = ...,
) -> Said:
    low, _, high = ends.partition(" \N{HORIZONTAL ELLIPSIS} ")
    unit = re.sub(r" \([a-z ]+\)$", "", head).partition(" ")[2]
    metric = _UNITS.get(unit) or _UNITS.get(unit[1:])  # of thousandths, of millionths
    label = re.search(r" \(([a-z ]+)\)$", head)
    if isinstance(base, str):
        base = base.removeprefix("limit ")
        base = base if " " in base or not _is_shown(base) else f"{base} {unit}"
    return Said(
        benchmark=name,
        how=how,
        anchor=anchor,
        metric=metric,
        outcome=_BY_WORDS[outcome] if isinstance(outcome, str) else ...,
        base=_words(base),
        head=_words(head),
        ratio=_words(change),
        ratio_low=_words(low),
        ratio_high=_words(high),
        label=(label[1] if label else "") if _is_shown(head) else ...,
    )


def _is_shown(text: str) -> bool:
    return text not in {"", "\N{EN DASH}"}


def _words(text: str | EllipsisType) -> Figure:
    return text if not isinstance(text, str) or _is_shown(text) else None


def _kind(text: str) -> tuple[str, str]:
    """`limit` or `anchor` and its name, out of ` (limit)`, ` anchor v1`."""
    if text.strip(" ()") == "limit":
        return "limit", ""
    anchored = _ANCHORED.fullmatch(text)
    return ("anchor", anchored["name"]) if anchored else ("", "")


def _split(text: str) -> tuple[str, str]:
    """`+12.5 %` and `+9.1 … +15.8`, out of `+12.5 % (+9.1 … +15.8)`."""
    change, _, ends = text.partition(" (")
    return change, ends.removesuffix(")")


def _number(text: str) -> float | None:
    return float(text) if text else None
