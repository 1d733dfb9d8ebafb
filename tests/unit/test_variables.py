"""Variables that are misspelt: what energygate reads is listed whole, and only near names are spoken of."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from energygate.cli.main import commands
from energygate.variables import OURS, READ, misspelt

ROOT = Path(__file__).parents[2]
LITERAL = re.compile(r"\bENERGYGATE_([A-Z_]+[A-Z])\b")
LOOKED_UP = re.compile(r'given\.(?:parse|parse_each|text|one_of|matching|truth|secret)\(\s*"([a-z-]+)"')


def of_commands(command=commands):
    """The variables of all options of all commands."""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from of_commands(command.get_command(click.Context(command), name))
    yield from (each.envvar for each in command.params if each.envvar)


def test_the_list_holds_every_variable_that_is_read_or_set_and_no_other():
    files = [*sorted((ROOT / "energygate").rglob("*.py")), ROOT / "action.yml"]
    text = "\n".join(file.read_text() for file in files)
    found = {name.removeprefix("ENERGYGATE_") for name in of_commands()} | set(LITERAL.findall(text))
    found |= {name.upper().replace("-", "_") for name in LOOKED_UP.findall(text)}
    assert found == {*READ, *OURS}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("METER", "METERS"),
        ("FAILON", "FAIL_ON"),
        ("ALLOW_ESTIMATE", "ALLOW_ESTIMATES"),
        ("BASELINE", "BASELINES"),
        ("MODUS", None),
        ("VERSION", None),
        ("REQUIRE_BROWSER", None),
        *((name, None) for name in (*READ, *OURS)),
    ],
)
def test_only_a_name_that_is_near_to_one_that_is_read_is_spoken_of(name, meant):
    said = [] if meant is None else [f"ENERGYGATE_{name} is not read. Did you mean ENERGYGATE_{meant}?"]
    assert list(misspelt({f"ENERGYGATE_{name}": "1", "PATH": "/bin"})) == said


def test_what_is_empty_or_could_steer_a_terminal_is_passed_over():
    assert list(misspelt({"ENERGYGATE_METER": "", "ENERGYGATE_METERS\x1b[31m": "1", "METER": "1"})) == []


@pytest.mark.parametrize(
    ("options", "stderr"),
    [([], "warning: ENERGYGATE_MODES is not read. Did you mean ENERGYGATE_MODE?\n"), (["--quiet"], "")],
)
def test_a_command_says_it_once_beside_its_results(options, stderr):
    done = CliRunner(env={"ENERGYGATE_MODES": "gate"}).invoke(commands, ["schema", "run", *options])
    assert (done.exit_code, done.stderr) == (0, stderr)
    assert done.stdout.startswith("{")
