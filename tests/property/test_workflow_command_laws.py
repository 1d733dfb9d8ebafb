"""What the runner reads of a command is what was said, whatever it was."""

import re

from hypothesis import given
from hypothesis import strategies as st

from energygate.github.actions import command, plain

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.text("%:,\r\n#[]=0ADA25", max_size=50)
UNESCAPED = (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%"))


def unescaped(text, table):
    for code, character in table:
        text = text.replace(code, character)
    return text


def read_by_the_runner(line):
    """Parse as actions/runner does (src/Runner.Common/ActionCommand.cs): `::name key=value,key=value::data`."""
    head, data = re.fullmatch(r"::(.*?)::(.*)", line, re.DOTALL).groups()
    name, _, rest = head.partition(" ")
    pairs = (pair.partition("=") for pair in rest.split(",") if pair)
    properties = {key: unescaped(value, UNESCAPED) for key, _, value in pairs}
    return name, properties, unescaped(data, UNESCAPED[2:])


@given(message=TEXTS, title=TEXTS, file=TEXTS)
def test_a_command_says_what_it_was_given_on_one_line(message, title, file):
    line = command("error", message, title=title, file=file, line=3)
    assert not re.search(r"[\r\n]", line)
    said = {"file": file, "line": "3", "title": title}
    assert read_by_the_runner(line) == ("error", {key: value for key, value in said.items() if value}, message)


@given(TEXTS | TEXTS.map("::".__add__) | TEXTS.map(" ##[".__add__))
def test_plain_text_is_one_line_and_no_command(text):
    line = plain(text)
    assert len(line.splitlines()) <= 1
    assert not line.lstrip().startswith("::")
    assert "##[" not in line
