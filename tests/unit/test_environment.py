"""Every option of the command line can come from the environment."""

import click
import pytest

from energygate.cli.main import commands

SETTINGS = {
    *("allow-estimates", "against", "baselines", "budget", "config", "fail-on", "lock-timeout", "max-blocks"),
    *("max-minutes", "meters", "min-blocks", "min-time", "mode", "report", "save", "seed", "setup", "sysfs", "trials"),
    *("venv", "warmup"),
}
"""What is looked up with the configuration: there the environment comes between options and file."""


def options(command, path=()):
    """Give every option below a command, with the words that lead to it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from options(command.get_command(context, name), (*path, name))
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "version":
            yield path, parameter


OTHERS = {
    f"{' '.join(path)} {option.opts[0]}": option
    for path, option in options(commands)
    if option.opts[0].removeprefix("--") not in SETTINGS
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_setting_has_a_variable_of_its_own_name(name):
    option = OTHERS[name]
    assert option.envvar == f"ENERGYGATE_{option.opts[0].removeprefix('--').upper().replace('-', '_')}"


def test_the_documented_ones_are_among_them():
    asked = ("ab --base", "plan --detect", "plan --queued", "aa --blocks", "baseline accept --run")
    more = ("baseline accept --until", "baseline accept --by", "baseline prune --keep")
    assert {*asked, *more} <= OTHERS.keys()
