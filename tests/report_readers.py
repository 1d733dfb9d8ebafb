"""What each format says, read back from its bytes by a parser of that format, to be held against the report.

A reader gives a `Said` for each comparison that it finds, with what the format shows of it: exact numbers where the
format has them, else the words in which they are shown. A figure that a format does not show is `...`; those beside the
comparison stand in `beside` where they are known, by the names of `figures_beside`.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import EllipsisType
from xml.etree import ElementTree as ET

import cmarkgfm
from cmarkgfm.cmark import Options
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from energygate.model import Metric, Row
from energygate.report.rows import TIMES, WORDS

Figure = float | str | None | EllipsisType
_UNITS = {metric.unit: metric for metric in Metric}
_BY_WORDS = {words: outcome.value for outcome, words in WORDS.items()}
_VOID = {"br", "hr", "img", "input", "link", "meta"}
_ANCHORED = re.compile(r" ?\(?anchor (?P<name>.+?)\)?")
_TESTS = ("p_value", "p_adjusted", "detectable")
_CHANGE = r"(?:[+\N{MINUS SIGN}]?[\d.]+ %|\N{MULTIPLICATION SIGN} \S+)"
_EVIDENCE = re.compile(
    r"(?:(?P<blocks>\d+) blocks|(?P<head_trials>\d+) trials?(?:, (?P<sessions>\d+) sessions?)?)"
    r"(?:, adjusted p (?P<p_adjusted>(?:< )?\d+(?:\.\d+)?))?"
    rf"(?:, could detect about (?P<detectable>{_CHANGE}))?"
)
_PACES = re.compile(
    rf"(?P<words>{'|'.join(TIMES.values())}) "
    r"(?P<both>(?:\S+ \N{RIGHTWARDS ARROW} )?(?:\S+/s|\S+ [m\N{MICRO SIGN}]?s))"
)


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
    beside: Mapping[str, Figure] = field(default_factory=dict)

    def is_of(self, row: Row) -> bool:
        """Whether it can be about that row."""
        how = row.how if row.how in {"limit", "anchor"} else ""
        same = (self.benchmark, self.how, self.anchor) == (row.benchmark, how, row.anchor)
        return same and self.metric in {None, row.metric}


def figures_beside(row: Row) -> dict[str, float]:
    """What is known beside a comparison: how much evidence there is, and where the change comes from."""
    known = {name: getattr(row, name) for name in _TESTS} | {
        "base_trials": row.trials.base,
        "head_trials": row.trials.head,
        "invalid_trials": row.trials.invalid,
        "sessions": row.sessions,
        "blocks": row.blocks,
    }
    for kind, ratios in (("domain", row.domains), ("work", row.work)):
        known |= {f"{kind} {name}": ratio for name, ratio in ratios.items()}
    for name, took in row.times.items():
        known |= {f"base {name}": took.base, f"head {name}": took.head}
        known |= {f"change {name}": took.head / took.base} if took.base else {}
    return {name: value for name, value in known.items() if value is not None}


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
        beside = {name: row[name] for name in (*_TESTS, "sessions", "blocks")}
        beside |= {f"{side}_trials": count for side, count in row["trials"].items()}
        beside |= _named("domain", row["domains"]) | _named("work", row["work"])
        for name, took in row["times"].items():
            beside |= {f"{side} {name}": value for side, value in took.items()}
        figures |= {"label": row["label"], "beside": _known(beside)}
        yield _said(row["benchmark"], row["how"], row["anchor"], row["metric"], **figures)


def read_csv(data: bytes) -> Iterator[Said]:
    for row in csv.DictReader(data.decode().splitlines(keepends=True)):
        figures = {name: _number(row[name]) for name in ("base", "head", "ratio", "ratio_low", "ratio_high")}
        counts = ("base_trials", "head_trials", "invalid_trials", "sessions", "blocks")
        beside = {name: _number(row[name]) for name in ("p_value", "p_adjusted", *counts)}
        beside["detectable"] = _number(row["detectable_ratio"])
        for kind in ("domain", "work"):
            beside |= _named(kind, json.loads(row[f"{kind}_ratios"] or "{}"))
        beside |= {f"{side} {name}": _number(row[f"{side}_{name}"]) for name in TIMES for side in ("base", "head")}
        figures |= {"outcome": row["outcome"], "label": row["label"], "beside": _known(beside)}
        yield _said(row["benchmark"], row["how"], row["anchor"], row["metric"], **figures)


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
            numbers |= {
                "outcome": figures["outcome"],
                "label": figures.get("label", ""),
                "beside": {name: _number(figures[name]) for name in _TESTS if name in figures},
            }
            yield _said(case.attrib["name"], how, anchor, metric, **numbers)


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
            beside=_known({name: value_of(f"energygate_{metric}", **of) for name, metric in _TESTED.items()})
            | _parts(samples, of)
            | (_counts(value_of, both) if how == "baseline" and metric is not Metric.J_PER_OUTPUT_TOKEN else {}),
        )


_TESTED = {"p_adjusted": "adjusted_p_value", "detectable": "detectable_ratio"}
_LEVELS = {
    Metric.J_PER_REQUEST: "joules_per_request",
    Metric.J_PER_OUTPUT_TOKEN: "joules_per_output_token",
    Metric.J_PER_TOTAL_TOKEN: "joules_per_total_token",
    Metric.ENERGY_J: "energy_joules",
    Metric.DURATION_S: "duration_seconds",
}


def _parts(samples: Iterable[Sample], of: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for sample in samples:
        for kind in ("domain", "work"):
            if sample.name == f"energygate_{kind}_ratio" and sample.labels.items() >= of.items():
                found[f"{kind} {sample.labels[kind]}"] = sample.value
    return found


def _counts(value_of: Callable[..., float | None], benchmark: Mapping[str, str]) -> dict[str, float | None]:
    sides = {f"{side}_trials": value_of("energygate_trials", side=side, **benchmark) for side in ("base", "head")}
    names = ("invalid_trials", "sessions", "blocks")
    return sides | {name: value_of(f"energygate_{name}", **benchmark) for name in names}


def read_markdown(data: bytes) -> Iterator[Said]:
    root = markdown_page(data).root
    folded = _folded(root)
    for table in root.iter("table"):
        heads = [words_of(cell) for cell in table.iter("th")]
        if heads[:2] != ["outcome", "benchmark"]:
            continue
        for line in table.find("tbody").iter("tr"):
            cells = dict(zip(heads, line.iter("td"), strict=True))
            name = words_of(cells["benchmark"].find("code"))
            how, anchor = _kind(words_of(cells["benchmark"]).removeprefix(name))
            word = words_of(cells["outcome"].find("strong"))
            change, ends = _split(words_of(cells["change (90 % interval)"]))
            base, _, head = words_of(cells["base \N{RIGHTWARDS ARROW} head"]).partition(" \N{RIGHTWARDS ARROW} ")
            size, _, p = words_of(cells["n, p (adjusted)"]).partition(", p ")
            beside = _evidence(size) | _p(p.removeprefix("= "))
            beside |= _detectable(words_of(cells["outcome"])) | (folded.get(name, {}) if not how else {})
            yield _shown(name, how, anchor, base=base, head=head, change=change, ends=ends, outcome=word, beside=beside)
            token = words_of(cells.get("per output token"))
            if token not in {"", "\N{EN DASH}"}:
                head, _, changed = token.partition(", ")
                change, ends = _split(changed)
                yield _shown(name, how, anchor, base=..., head=head, change=change, ends=ends)


def _folded(root: ET.Element) -> dict[str, dict[str, str]]:
    """What stands below a Markdown table of each benchmark: where its joules went, and how fast the server answered."""
    found: dict[str, dict[str, str]] = {}
    for part in root.iter("details"):
        title, lines = words_of(part.find("summary")), [list(line) for line in part.iter("tr")]
        if title.startswith("Where the joules went: "):
            ratios = found.setdefault(words_of(part.find("summary/code")), {})
            for name, change in lines[1:]:
                what, changed = words_of(name), words_of(change)
                if what == "time per request":
                    ratios["change request_s"] = changed
                elif what.endswith(" per request"):
                    ratios[f"work {what.removesuffix(' per request').replace(' ', '_')}"] = changed
                elif name.find("code") is not None:
                    ratios[f"domain {words_of(name.find('code'))}"] = changed
        elif title.startswith("How fast the server answered"):
            names = [words_of(cell) for cell in lines[0][1:]]
            for cells in lines[1:]:
                said = ", ".join(f"{name} {words_of(cell)}" for name, cell in zip(names, cells[1:], strict=True))
                found.setdefault(words_of(cells[0]), {}).update(_paces(said))
    return found


def read_html(data: bytes) -> Iterator[Said]:
    for group in Page(data.decode()).root.iter("tbody"):
        if "data-outcomes" not in group.attrib:
            continue
        name, facts = group.attrib["data-name"], _facts(group)
        for line in [each for each in group.iter("tr") if "line" in each.attrib["class"].split()]:
            cells = {each.attrib["class"].split()[-1]: each for each in line.iter("td")}
            label = words_of(line.find(".//span[@class='label']"))
            how, anchor = _kind("" if label in {name, "also"} else label.removeprefix(name))
            word = words_of(cells["outcome"])
            sides = {side: _first(cells[side]) for side in ("base", "head")}
            change, ends = _split(_first(cells["change"]))
            beside = _evidence(_first(cells["size"])) | _p(words_of(cells["size"].find("span")).removeprefix("p "))
            beside |= _detectable(words_of(line.find(".//span[@class='why']")))
            said = facts[how, anchor]
            assert beside | said == said | beside, "the table and the section disagree"
            yield _shown(name, how, anchor, **sides, change=change, ends=ends, outcome=word, beside=beside | said)
            second = {key: words_of(cells[key].find("span[@class='second']")) for key in ("base", "head", "change")}
            if second["head"]:
                change, ends = _split(second.pop("change"))
                yield _shown(name, how, anchor, **second, change=change, ends=ends)


def _facts(group: ET.Element) -> dict[tuple[str, str], dict[str, Figure]]:
    """What a benchmark's section says beside each of its comparisons."""
    found: dict[tuple[str, str], dict[str, Figure]] = {}
    for pair in group.iter("div"):
        name, value = words_of(pair.find("dt")), words_of(pair.find("dd"))
        if name.startswith("verdict"):
            said = found.setdefault(_kind(name.removeprefix("verdict")), {})
        elif name == "compared":
            said |= _evidence(value.partition(": ")[2])
        elif name in _PARTS:
            said |= _ratios(_PARTS[name], value)
        elif name == "times":
            said |= _paces(value)
    return found


_PARTS = {"by domain": "domain", "work": "work"}


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
    name, word, figures, beside = "", "", [], {}
    for line in [*data.decode().splitlines(), "energy: "]:
        begun = re.match(rf"({'|'.join(_BY_WORDS)})  +(?=\S)", line)
        if (begun or not line.startswith(" ")) and word:
            yield from _of_terminal(name, word, figures, beside)
            name, word, figures, beside = "", "", [], {}
        if begun:
            rest, word = line[begun.end() :], begun[1]
            on_it = re.search(rf"\s{_FIGURES.pattern}$", rest)
            name, figures = (rest[: on_it.start()].strip(), [on_it]) if on_it else (rest, [])
        elif found := _FIGURES.fullmatch(line.strip()):
            figures.append(found)
        else:
            beside |= _below(line.strip())


def _below(text: str) -> dict[str, Figure]:
    """What a line of details says."""
    what, _, said = text.partition(": ")
    if what in _PARTS:
        return _ratios(_PARTS[what], said)
    return _evidence(text) if _EVIDENCE.fullmatch(text) else _paces(text)


def _of_terminal(name: str, word: str, figures: list[re.Match[str]], beside: Mapping[str, Figure]) -> Iterator[Said]:
    kind = re.search(r" \((limit|anchor .+)\)$", name)
    how, anchor = _kind(kind[0] if kind else "")
    name, outcome = name[: kind.start()] if kind else name, word
    for found in figures:
        said = {key: found[key] or "" for key in ("base", "head", "change", "ends")}
        yield _shown(name, how, anchor, **said, outcome=outcome, beside=beside)
        outcome, beside = ..., {}
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
        evidence = re.search(rf"(?:^|; )({_EVIDENCE.pattern})\. ", figures)
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
            beside=_evidence(evidence[1]) if evidence else {},
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
    beside: Mapping[str, Figure] | None = None,
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
        beside=beside or {},
    )


def _evidence(text: str) -> dict[str, Figure]:
    """How much evidence there is, out of `10 trials, 3 sessions, adjusted p 0.16`."""
    found = _EVIDENCE.fullmatch(text)
    assert found is not None, text
    said = _known(found.groupdict())
    return {name: each if name in _TESTS else int(each) for name, each in said.items()}


def _p(text: str) -> dict[str, Figure]:
    return {"p_adjusted": text} if _is_shown(text) else {}


def _detectable(text: str) -> dict[str, Figure]:
    found = re.search(rf"could detect about ({_CHANGE})", text)
    return {"detectable": found[1]} if found else {}


def _ratios(kind: str, text: str) -> dict[str, Figure]:
    """Changes by part, out of `input tokens 0.0 %, output tokens +3.1 %`."""
    return {
        f"{kind} {name.replace(' ', '_')}": change for name, change in re.findall(rf"(.+?) ({_CHANGE})(?:, |$)", text)
    }


def _paces(text: str) -> dict[str, Figure]:
    """Times and rates of both sides, out of `median request 0.412 \N{RIGHTWARDS ARROW} 0.430 s`."""
    names = {words: name for name, words in TIMES.items()}
    found: dict[str, Figure] = {}
    for each in _PACES.finditer(text):
        base, _, head = each["both"].rpartition(" \N{RIGHTWARDS ARROW} ")
        unit = re.search("/s| .?s$", head)
        found |= {f"head {names[each['words']]}": head} | (
            {f"base {names[each['words']]}": f"{base}{unit[0]}"} if base else {}
        )
    return found


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


def _named(kind: str, ratios: Mapping[str, float]) -> dict[str, float]:
    return {f"{kind} {name}": ratio for name, ratio in ratios.items()}


def _known(found: Mapping[str, Figure]) -> dict[str, Figure]:
    return {name: value for name, value in found.items() if value is not None}


def _number(text: str) -> float | None:
    return float(text) if text else None
