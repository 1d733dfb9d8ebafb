"""docs/github.md says what action.yml and the code say: inputs, outputs, events, messages, and the comment it shows."""

import re
from pathlib import Path

import pytest
import yaml
from rig.documents import spoken, unspoken

from energygate.github.payload import KNOWN

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/github.md").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
EMPTY = "empty"
CODE = re.compile("`([^`]*)`")
STEP = re.compile(r"```yaml\n *# (?:a step|steps) of \.github/workflows/[^\n]*\n(.*?)```", re.DOTALL)
PINNED = re.compile(r"uses: (\S+ # v\S+)")


def rows(title):
    """The rows of the first table below a heading, as cells."""
    chapter = re.split("^## ", TEXT.split(f"\n## {title}\n", 1)[1], flags=re.MULTILINE)[0]
    table = re.search(r"^\|.*?\n\n", f"{chapter}\n", re.DOTALL | re.MULTILINE)
    return [[cell.strip() for cell in line[1:-1].split(" | ")] for line in table[0].strip().splitlines()[2:]]


def messages():
    """The messages of the last chapter."""
    return [CODE.search(cells[0])[1] for cells in rows("Troubleshooting")]


SPOKEN = spoken()


def test_the_table_of_inputs_is_that_of_the_action_with_its_defaults():
    documented = {CODE.fullmatch(name)[1]: default for name, default, _ in rows("Inputs")}
    defaults = {name: f"`{each['default']}`" if each["default"] else EMPTY for name, each in ACTION["inputs"].items()}
    assert list(documented.items()) == list(defaults.items())


def test_the_table_of_outputs_is_that_of_the_action():
    assert [name for name, _ in rows("Outputs")] == [f"`{name}`" for name in ACTION["outputs"]]


def test_the_table_of_events_has_each_that_is_acted_on_and_the_one_that_is_refused():
    assert {name for name, *_ in rows("Events")} == {f"`{name}`" for name in (*KNOWN, "pull_request_target")}


@pytest.mark.parametrize("message", messages())
def test_a_message_that_is_explained_exists(message):
    assert unspoken(message, SPOKEN) == []


def test_the_comment_that_is_shown_is_what_the_renderer_makes():
    golden = (ROOT / "tests/unit/report/golden/published.md").read_text(encoding="utf-8").splitlines()
    shown = [line[2:] for line in TEXT.splitlines() if line.startswith("> ")]
    assert len(shown) > 6
    assert [line for line in shown if line not in golden] == []


def test_every_step_that_is_shown_is_one_and_pinned_as_in_the_examples():
    examples = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "examples/workflows").glob("*.yml"))
    shown = STEP.findall(TEXT)
    steps = [step for block in shown for step in yaml.safe_load(block)]
    assert len(steps) == len(PINNED.findall("".join(shown))) > 2
    assert set(PINNED.findall("".join(shown))) <= set(PINNED.findall(examples))
    assert all(step["with"].keys() <= ACTION["inputs"].keys() for step in steps if "/energygate@" in step["uses"])
