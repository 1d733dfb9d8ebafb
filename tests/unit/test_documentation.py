"""What README and docs say is so: links lead somewhere, commands exist, settings are valid, messages are ours."""

import contextlib
import io
import re
import textwrap

import click
import pytest
import yaml
from rig.documents import ROOT, Document, documents, spoken, unspoken

from energygate.cli.main import commands
from energygate.config import read_config
from energygate.errors import InvalidCode
from energygate.model import Metric, Outcome

DOCUMENTS = documents()
BY_PATH = {each.path: each for each in DOCUMENTS}
SPOKEN = spoken()
PLACEHOLDER = re.compile(r"[A-Z]{2,}|…")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
OURS = re.compile(r"^(?:- )?(?:\S*/)?energygate (?P<rest>[^#]*)")
MAKE = re.compile(r"^make ([a-z][\w-]*)(?:$| +#)")
TARGET = re.compile(r"^(?P<name>[a-z][\w-]*):", re.MULTILINE)
SHELL = {"", "sh", "console", "text", "groovy", "yaml"}
MEASURED = re.compile(
    r"Measured (?:on|with|at)|measured once|2-core|[Ss]imulated |took \d|spread was|spread \d|medians of|[Ff]igures of|"
    r"Figures below"
)
FIGURE = re.compile(r"\d ?(?:%|ms|µs|MiB|s\b|J\b|tokens/s)")
COMMAND = re.compile(
    r"`(?:make|energygate|pytest) |\.py\b|^(?:\.venv/bin/)?(?:make|energygate|pytest) |^```python", re.MULTILINE
)
NUMBER = re.compile(r"[\s*(]*[<≤+\N{MINUS SIGN}]?\d[\d.,]*(?: ?%)?[\s*)]*")
NONE = "no command of this version reproduces them"


def every(kind):
    return [pytest.param(each, id=each.name) for each in DOCUMENTS if any(True for _ in kind(each))]


def commands_of(document):
    """Every command line that a document shows, in a block or within a line."""
    for code in document.blocks:
        if code.language in SHELL:
            joined = code.text.replace("\\\n", " ")
            yield from (line.strip().removeprefix("$ ") for line in joined.splitlines())
    yield from (text for _, text in document.spans)


def python_of(document):
    return [code for code in document.blocks if code.language == "python"]


def chapters_of(document):
    """What current pages say, by headings; a decision's figures have their source in it, and are not rewritten."""
    if document.path.parent.name not in {"adr", "data"} and document.name != "CHANGELOG.md":
        yield from re.split(r"^(?=#+ )", document.text, flags=re.MULTILINE)


def settings_of(document):
    """Parts of an energygate.yml: what begins with a comment names its own file, and is tested as that."""
    return [code for code in document.blocks if code.language == "yaml" and not code.text.startswith("# ")]


@pytest.mark.parametrize("document", every(lambda each: each.links))
def test_every_link_leads_somewhere(document):
    broken = []
    for line, target in document.links:
        path, _, anchor = target.partition("#")
        file = (document.path.parent / path).resolve() if path else document.path
        if not file.is_file() or (anchor and anchor not in BY_PATH.get(file, Document(file)).anchors):
            broken.append((line, target))
    assert broken == []


@pytest.mark.parametrize("document", every(commands_of))
def test_every_command_that_is_shown_exists_with_its_options(document):
    shown = {each: found["rest"] for each in commands_of(document) if (found := OURS.match(each))}
    wrong = [each for each, rest in shown.items() if unspoken(each, SPOKEN) and not all(is_ours(rest))]
    assert wrong == []


def is_ours(rest):
    """Whether each of its commands exists, and has its options; what follows `--` is somebody else's."""
    words = rest.split(" -- ")[0].split()
    group, names = commands, words[:1]
    while names and isinstance(group, click.Group):
        alternatives = re.split(r"[|,]", names[0].strip("`,."))
        context = click.Context(group)
        found = [group.get_command(context, each) for each in alternatives if each and not PLACEHOLDER.search(each)]
        yield None not in found
        if len(found) != 1 or found[0] is None:
            return
        group, words = found[0], words[1:]
        names = words[:1]
    yield {*OPTION.findall(" ".join(words))} <= {name for each in group.params for name in each.opts} | {"--help"}


@pytest.mark.parametrize("document", every(commands_of))
def test_every_option_of_pytest_that_is_shown_exists(document, pytestconfig):
    named = {name for shown in commands_of(document) for name in OPTION.findall(shown) if name.startswith("--energy")}
    unknown = []
    for name in named - {"--energy-", "--energygate"}:
        try:
            pytestconfig.getoption(name)
        except ValueError:
            unknown.append(name)
    assert unknown == []


@pytest.mark.parametrize("document", every(commands_of))
def test_every_target_of_make_that_is_shown_exists(document):
    targets = {found["name"] for found in TARGET.finditer((ROOT / "Makefile").read_text(encoding="utf-8"))}
    shown = {found[1] for each in commands_of(document) if (found := MAKE.match(each))}
    assert shown - targets == set()


@pytest.mark.parametrize("document", every(settings_of))
def test_every_part_of_the_settings_that_is_shown_is_valid(document, tmp_path):
    path = tmp_path / "energygate.yml"
    for code in settings_of(document):
        if "work" in yaml.safe_load(code.text):  # of a suite: the example that it belongs to is run
            continue
        path.write_text(f"version: 1\n{code.text}", encoding="utf-8")
        assert read_config(path).version == 1


@pytest.mark.parametrize("document", every(python_of))
def test_every_block_of_python_compiles(document):
    for code in python_of(document):
        compile(textwrap.dedent(code.text), f"{document.name}:{code.line}", "exec")


@pytest.mark.parametrize(
    ("number", "rows"),
    [
        pytest.param(0, r"^\| (?:Welch's t|Mann-Whitney) \|(.*)\|$", id="alarms of pooled trials"),
        pytest.param(1, r"^\| detectable \|(.*)\|$", id="what can be detected"),
    ],
)
def test_a_table_is_what_the_code_beside_it_prints(number, rows):
    chapter = Document(ROOT / "docs/statistics.md")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(python_of(chapter)[number].text, chapter.name, "exec"), {})
    shown = [float(cell) for row in re.findall(rows, chapter.text, re.MULTILINE) for cell in re.findall(r"[\d.]+", row)]
    found = [float(word) for word in re.findall(r"[\d.]+", printed.getvalue())]
    assert shown == [pytest.approx(value, abs=0.06 if value < 10 else 0.5) for value in found]


@pytest.mark.parametrize("document", every(chapters_of))
def test_what_was_measured_stands_with_the_command_that_gives_it(document):
    alone, above = [], ""
    for chapter in chapters_of(document):
        above = above if chapter.startswith("###") else chapter
        if COMMAND.search(f"{above}\n{chapter}") or NONE in " ".join(chapter.split()):  # of its own, older figures
            continue
        alone += [
            f"{chapter.splitlines()[0]}: {' '.join(paragraph.split())[:90]}"
            for paragraph in re.split(r"\n\n", chapter)
            if (MEASURED.search(paragraph) and FIGURE.search(paragraph)) or is_of_numbers(paragraph)
        ]
    assert alone == []


def is_of_numbers(paragraph):
    """Whether it is a table in which a line has several numbers beside each other, as measurements stand."""
    lines = [line.strip("|").split("|") for line in paragraph.splitlines() if line.startswith("|")]
    return any(sum(bool(NUMBER.fullmatch(cell)) for cell in cells) > 1 for cells in lines)


def test_every_message_of_the_questions_is_one_of_ours():
    text = (ROOT / "docs/faq.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^> `(.*)`$", text, re.MULTILINE)
    assert len(quoted) == len(re.findall("^> ", text, re.MULTILINE)) > 30
    assert {message: left for message in quoted if (left := unspoken(message, SPOKEN))} == {}


def test_the_concepts_name_every_outcome_and_metric_and_measuring_every_reason_why_a_trial_does_not_count():
    concepts, measuring = ((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("concepts", "measuring"))
    assert [each for each in (*Outcome, *Metric) if f"`{each}`" not in concepts] == []
    assert [each for each in InvalidCode if f"| `{each}` |" not in measuring] == []


def test_every_command_of_the_command_line_is_shown_somewhere():
    shown = "\n".join(each for document in DOCUMENTS for each in commands_of(document))
    names = commands.list_commands(click.Context(commands))
    assert [name for name in names if not re.search(rf"\benergygate {name}\b", shown)] == []
