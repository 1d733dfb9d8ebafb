"""What every command says of itself, and what it makes of a name that is misspelt."""

import shlex
from functools import cache

import click
import pytest
from click.testing import CliRunner

from energygate.cli.examples import EXAMPLES
from energygate.cli.main import COMMANDS, EXIT_CODES, commands

STEPS = {"action", "comment", "baseline fetch"}
"""Steps of the GitHub action: their environment says everything, so that there is less to show."""


def every_command(command=commands, path=()):
    """Give each command, with the words that lead to it."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from every_command(command.get_command(context, name), (*path, name))


EVERY = dict(every_command())


def call(*arguments):
    """Call the command line; give how it ended."""
    return CliRunner().invoke(commands, arguments, prog_name="energygate")


@cache
def help_of(path):
    done = call(*path.split(), "--help")
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def parsed(line):
    """Parse a command line as if it were to be run; give the command."""
    command, words = commands, shlex.split(line)[1:]
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    command.make_context("energygate", words)
    return command


def test_every_command_is_in_the_list_and_its_first_sentence_is_not_cut():
    text = help_of("")
    assert "..." not in text.partition("Options:")[0].partition("Commands:")[2]
    assert [line.split()[0] for line in text.partition("Commands:\n")[2].splitlines()[: len(COMMANDS)]] == list(
        COMMANDS
    )


@pytest.mark.parametrize("path", EVERY)
def test_the_help_fits_80_columns_and_opens_with_a_sentence(path):
    text = help_of(path)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert " ".join(text.split("\n\n")[1].split()).endswith((".", ":"))


@pytest.mark.parametrize("path", EVERY)
def test_every_option_is_explained(path):
    options = [each for each in EVERY[path].params if isinstance(each, click.Option)]
    assert [option.opts for option in options if not option.help] == []


@pytest.mark.parametrize("path", EVERY)
def test_the_help_has_examples_and_each_can_be_typed_as_it_stands(path):
    examples = EXAMPLES[path]
    assert len(examples) >= (1 if path in STEPS or path.startswith("export") else 2)
    text = help_of(path)
    for line, about in examples:
        assert f"\n  {line}\n" in text
        assert " ".join(about.split()) in " ".join(text.split())
        assert line.startswith(f"energygate {path}") or path == ""
        if line.startswith("energygate "):
            assert parsed(line) in EVERY.values()


def test_no_example_is_of_a_command_that_is_gone():
    assert set(EXAMPLES) == set(EVERY)


def test_the_main_help_says_what_each_exit_code_means():
    text = " ".join(help_of("").split())
    assert all(f"{code} {meaning}" in text for code, meaning in EXIT_CODES)


@pytest.mark.parametrize("path", ["", "baseline", "export"])
def test_alone_it_prints_its_help_and_is_no_success(path):
    done = call(*path.split())
    assert (done.exit_code, done.stdout, done.stderr) == (2, help_of(path), "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean run?"),
        (["baseline", "lits"], "No such command 'lits'. Did you mean list?"),
        (["quite-another"], "No such command 'quite-another'."),
        (["compare", "a", "b", "--bugdet", "5%"], "--budget"),
        (["run", "--energy-mode", "record"], "--mode"),
    ],
)
def test_what_is_misspelt_is_answered_with_what_may_be_meant(arguments, message):
    with pytest.raises(click.UsageError) as refused:
        commands.main(arguments, prog_name="energygate", standalone_mode=False)
    assert message in refused.value.format_message()
