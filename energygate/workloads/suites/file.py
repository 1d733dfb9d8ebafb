"""A whole suite file."""

from typing import Annotated, Literal

from msgspec import Meta

from energygate.workloads.suites.command import CommandSuite
from energygate.workloads.suites.inference import InferenceSuite
from energygate.workloads.suites.keys import Keys
from energygate.workloads.suites.python import PythonSuite

Suite = InferenceSuite | CommandSuite | PythonSuite


class SuiteFile(Keys, frozen=True, kw_only=True):
    """A whole ``*.energy.yml``."""

    version: Literal[1]
    suites: Annotated[tuple[Suite, ...], Meta(min_length=1)]
