"""docs/cli.md is what the command line says of itself."""

import importlib.util
import re
from pathlib import Path

from energygate.cli.main import EXIT_CODES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_the_commands_own_help():
    specification = importlib.util.spec_from_file_location("cli_reference", DOCS / "cli_reference.py")
    cli_reference = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(cli_reference)
    assert cli_reference.PAGE.read_text() == cli_reference.page(), "run: python docs/cli_reference.py"


def test_the_table_of_exit_codes_has_those_of_the_help():
    rows = re.findall(r"^\| ([\d, ]+) \|", (DOCS / "cli.md").read_text(), re.MULTILINE)
    assert rows == [code for code, _ in EXIT_CODES]
