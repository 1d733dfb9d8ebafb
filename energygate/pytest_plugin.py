"""`pytest --energy`: the options and the `energy` fixture. What they start lives in `pytest_measuring`.

Without `--energy` nothing heavy is imported and nothing is registered: the fixture runs the code once, unmeasured.
"""

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar

import pytest

from energygate.report.formats import named_formats

if TYPE_CHECKING:
    from energygate.measure.energy import Energy
    from energygate.pytest_measuring import Measuring

P = ParamSpec("P")
R = TypeVar("R")

_VALUED: Final = (
    ("mode", "measure|gate|record", "only measure; compare and decide (default); or add this run to the baselines"),
    (
        "meters",
        "LIST",
        "auto (default), or a comma list of rapl, nvml, pyrapl, prometheus, codecarbon, estimate, replay:FILE",
    ),
    ("config", "FILE", "configuration file (default: energygate.yml if there)"),
    ("sysfs", "DIR", "where sysfs is mounted (default: /sys)"),
    ("baselines", "URI", "where runs are stored: a folder (default: baselines), git:BRANCH, s3://BUCKET/FOLDER"),
    ("against", "REF", "measure suspects again, in turn with this git revision, auto or none: only that can fail them"),
    ("trials", "N", "trials that count"),
    ("warmup", "N", "discarded trials before them"),
    ("min-time", "SECONDS", "shortest trial"),
    ("save", "FILE", "write the run as JSON"),
    ("lock-timeout", "SECONDS", "wait so long for a machine that another job measures (default: 0)"),
    ("fail-on", "LIST", "outcomes that fail the session (default: regressed,over_limit,invalid)"),
)
_FLAGS: Final = (
    ("energy", "measure the energy of tests that use the `energy` fixture, and of *.energy.yml suites"),
    ("energy-only", "the same, and deselect tests that don't measure"),
    ("energy-allow-estimates", "an estimated reading may decide"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--energy` and its kin."""
    group = parser.getgroup("energy", "energy per benchmark, measured and gated")
    for name, text in _FLAGS:
        group.addoption(f"--{name}", action="store_true", help=text)
    for name, metavar, text in _VALUED:
        group.addoption(f"--energy-{name}", metavar=metavar, help=text)
    group.addoption(
        "--energy-report",
        metavar="FORMAT:FILE",
        action="append",
        default=[],
        help=f"write a report: {named_formats()}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the measuring plugin where `--energy` asks for it."""
    config.addinivalue_line(
        "markers",
        "energy(trials, warmup, min_time, budget, min_effect, limit): how `energy` measures and judges a test",
    )
    options = _options(config)
    if config.getoption("help"):
        return
    if not (config.getoption("--energy") or config.getoption("--energy-only")):
        _refuse_to_measure_nothing(options)
        return
    from energygate.pytest_measuring import start  # noqa: PLC0415  heavy: only with --energy

    config.stash[_MEASURING] = start(config, options)


_MEASURING: "pytest.StashKey[Measuring | None]" = pytest.StashKey()


@pytest.fixture
def energy(request: pytest.FixtureRequest) -> "Iterator[Energy | Unmeasured]":
    """Measure a callable, `energy(encode, DATA)`, or windows of your own, `for trial in energy.trials():`."""
    plugin = request.config.stash.get(_MEASURING, None)
    if plugin is None:
        yield Unmeasured()
    else:
        yield plugin.energy(request.node)  # kept when the test is over, with its teardown


def _options(config: pytest.Config) -> dict[str, Any]:
    """Give what was said of each option, None where nothing was, and where a variable counts for more."""
    options = {name: config.getoption(f"--energy-{name}") for name, _, _ in _VALUED}
    options["report"] = config.getoption("--energy-report") or None
    options["allow-estimates"] = config.getoption("--energy-allow-estimates") or None
    typed = _typed(config)
    return {name: None if _is_outranked(name, typed) else value for name, value in options.items()}


def _is_outranked(name: str, typed: frozenset[str]) -> bool:
    """Whether an option can only come from a file, such as from `addopts`, while a variable says it too.

    What a pull request writes into pytest.ini must not win over what its workflow has asked for.
    """
    return f"--energy-{name}" not in typed and bool(os.environ.get(f"ENERGYGATE_{name.upper().replace('-', '_')}"))


def _typed(config: pytest.Config) -> frozenset[str]:
    """Give the options that the command line has, or the variable that pytest reads as a part of it."""
    words = [*map(str, config.invocation_params.args), *os.environ.get("PYTEST_ADDOPTS", "").split()]
    return frozenset(word.partition("=")[0] for word in words)


def _refuse_to_measure_nothing(options: dict[str, Any]) -> None:
    """Refuse options that ask for a result where nothing is measured: a green session would look like a pass."""
    asked = next((name for name in ("mode", "save", "report", "fail-on", "against") if options[name]), None)
    if asked is not None:
        raise pytest.UsageError(
            f"--energy-{asked} asks for a result, and without --energy nothing is measured. Add it."
        )


class Unmeasured:
    """The fixture without `--energy`: everything runs once."""

    sync: Callable[[], object]

    def __call__(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it, once."""
        return function(*args, **kwargs)

    def trials(self) -> "Iterator[UnmeasuredTrial]":
        """Give one trial that measures nothing."""
        yield UnmeasuredTrial()


class UnmeasuredTrial:
    """A trial whose window is not measured and whose counts nobody keeps."""

    sync: Callable[[], object]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def add(self, **counts: int) -> None:
        """Take counts of work, and drop them."""

    def add_usage(self, usage: object) -> None:
        """Take a reply's usage, and drop it."""
