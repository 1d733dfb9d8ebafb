"""What options and the environment say: option over environment over file."""

import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import structs

from energygate.errors import ConfigError
from energygate.files import resolved
from energygate.measure.assignment import Assignment, assignment_in
from energygate.model import Outcome
from energygate.policy import FAILABLE
from energygate.report.formats import FORMATS, Format, named_formats
from energygate.settings import Mode, ReportTarget, Settings, SideSettings, first_of
from energygate.units import parse_percent
from energygate.workloads.suites import LONGEST_S, MOST_TRIALS, TrialOverrides

T = TypeVar("T")
STDOUT: Final = Path("-")
_LARGEST_SEED: Final = 2**53
_FETCHED: Final = re.compile(r"git:\S+@([0-9a-f]{40}|[0-9a-f]{64}|none)")
_SHELL_ALONE: Final = re.compile(r"&|&&|\|{1,2}|\|&|;|[0-9]?(?:>{1,2}|<{1,3})|[0-9]?>&[0-9]|&>{1,2}|.*;", re.DOTALL)
_WITH_A_SHELL: Final = "Write bash -euo pipefail -c '…' around it, or call a script"
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What options and the environment say, and how each is spelt."""

    options: Mapping[str, Any]
    prefix: str
    environ: Mapping[str, str]

    def parse(self, name: str, parser: Callable[[str], T]) -> T | None:
        """Give an option's value, or the environment's, or None."""
        text, origin = self._find(name)
        return None if text is None else _parsed(text, parser, origin)

    def parse_each(self, name: str, parser: Callable[[str], T]) -> tuple[T, ...]:
        """The same for an option that is a list: comma-separated, repeated, or both."""
        text, origin = self._find(name)
        if text is None:
            return ()
        items = [item.strip() for part in ([text] if isinstance(text, str) else text) for item in part.split(",")]
        return tuple(_parsed(item, parser, origin) for item in items if item)

    def without(self, *names: str) -> "Given":
        """Give the same as if nothing had been said of these options."""
        variables = {_variable(name) for name in names}
        return replace(
            self,
            options={name: value for name, value in self.options.items() if name not in names},
            environ={name: value for name, value in self.environ.items() if name not in variables},
        )

    def _find(self, name: str) -> tuple[Any, str]:
        given = self.options.get(name)
        if given is not None and given is not False and given != ():
            return given, f"{self.prefix}{name}"
        variable = _variable(name)
        return self.environ.get(variable) or None, variable


def apply_options(base: Settings, given: Given, *, here: Path) -> Settings:
    """Lay what was given over what the file says; relative paths are relative to `here`. Raises ConfigError."""
    assignment = assignment_in(given.environ)
    if assignment is not None:
        given = given.without("mode", "report", "save", "against", "setup", "venv", "fail-on")
    trials, warmup = given.parse("trials", _whole(1)), given.parse("warmup", _whole(0))
    min_time = given.parse("min-time", _seconds)
    baselines = given.parse("baselines", str)
    if baselines is not None and is_path(baselines):
        baselines = str(here / baselines)
    save = given.parse("save", Path)
    reports = given.parse_each("report", _report_file)
    allow = given.parse("allow-estimates", _truth)
    forced_budget = given.parse("budget", _budget)
    budget = first_of(forced_budget, base.policy.budget)
    confirm = base.policy.confirm
    min_blocks, max_blocks = given.parse("min-blocks", _whole(1)), given.parse("max-blocks", _whole(1))
    _require_room(min_blocks, max_blocks, confirm.min_blocks, prefix=given.prefix)
    policy = replace(
        base.policy,
        fail_on=given.parse_each("fail-on", _outcome) or base.policy.fail_on,
        budget=budget,
        min_effect=min(base.policy.min_effect, budget),
        allow_estimates=first_of(allow, base.allow_estimates),
        confirm=replace(
            confirm,
            min_blocks=first_of(min_blocks, confirm.min_blocks),
            max_blocks=first_of(max_blocks, confirm.max_blocks),
            max_minutes=given.parse("max-minutes", _minutes) or confirm.max_minutes,
        ),
    )
    against = given.parse("against", str)
    sides = replace(
        base.sides,
        against=against or base.sides.against,
        setup=given.parse("setup", command_words) or base.sides.setup,
        venv=first_of(given.parse("venv", _truth), base.sides.venv),
        seed=given.parse("seed", _whole(0, _LARGEST_SEED)),
    )
    paths = [target.path for target in reports] + ([save] if save else [])
    require_distinct([here / path for path in paths])
    mode = given.parse("mode", _mode) or base.mode
    if reports and mode is not Mode.GATE:
        raise ConfigError(
            f"{given.prefix}report asks for a verdict, and mode {mode} makes none.",
            fix=f"Use {given.prefix}save for the run itself, or mode gate.",
        )
    if against and mode is not Mode.GATE:
        raise ConfigError(
            f"{given.prefix}against asks for a second measurement, and mode {mode} judges none.", fix="Use mode gate."
        )
    settings = replace(
        base,
        mode=mode,
        meters=given.parse_each("meters", str) or base.meters,
        sysfs=given.parse("sysfs", Path) or base.sysfs,
        lock_timeout_s=first_of(given.parse("lock-timeout", _patience), base.lock_timeout_s),
        allow_estimates=policy.allow_estimates,
        baselines=baselines or base.baselines,
        baselines_at=given.parse("baselines-at", _fetched),
        forced=TrialOverrides(count=trials, warmup=warmup, min_time=min_time, min_time_gpu=min_time),
        forced_budget=forced_budget,
        policy=policy,
        save=here / save if save else None,
        reports=tuple(replace(target, path=here / target.path) for target in reports),
        sides=sides,
    )
    return settings if assignment is None else assigned(settings, assignment)


def _require_room(least: int | None, most: int | None, already: int, *, prefix: str) -> None:
    """Refuse fewer blocks than are measured at least, where nobody said how many those are. Raises ConfigError."""
    if least is None and most is not None and most < already:
        raise ConfigError(
            f"{prefix}max-blocks {most}: fewer than the {already} blocks that are measured at least.",
            fix=f"Add --min-blocks {most} (confirm.min_blocks), or give {already} or more.",
        )


def assigned(settings: Settings, assignment: Assignment) -> Settings:
    """Measure what one that interleaves asks for, and nothing else: one trial of each benchmark, and no verdict."""
    return replace(
        settings,
        mode=Mode.MEASURE,
        # A noisy trial counts here and says so, an invalid one is not replaced: whoever assigned judges whole blocks.
        forced=replace_keys(settings.forced, count=1, warmup=0, max_invalid=1.0 if assignment.calibrates else 0.0),
        idle_s=0.0,
        save=Path(assignment.save),
        sides=SideSettings(against="none"),
        assignment=assignment,
    )


def replace_keys(keys: TrialOverrides, **changed: Any) -> TrialOverrides:
    """Give the overrides with some of them changed."""
    return structs.replace(keys, **changed)


def _parsed(text: Any, parser: Callable[[str], T], origin: str) -> T:
    try:
        return parser(text)
    except ValueError as error:
        raise ConfigError(f"{origin}: {text!r}: {error}.") from error


def _variable(name: str) -> str:
    return f"ENERGYGATE_{name.upper().replace('-', '_')}"


def command_words(text: str) -> tuple[str, ...]:
    """Split a command as a shell would; no shell runs it. Raises ValueError, also for what only a shell understands."""
    words = tuple(shlex.split(text))
    if not words:
        raise ValueError("expected a command")
    text = text.strip()
    if any(_is_closed(text[:at]) for at, char in enumerate(text) if char == "\n"):
        raise ValueError(f"several lines, and no shell reads them: all would be one command. {_WITH_A_SHELL}")
    for word in words:
        if _SHELL_ALONE.fullmatch(word):
            raise ValueError(f"{word} is for a shell, and none reads this: all would be one command. {_WITH_A_SHELL}")
    return words


def _is_closed(text: str) -> bool:
    """Whether no quotation is open at its end."""
    try:
        shlex.split(text.removesuffix("\\"))
    except ValueError:
        return False
    return True


def _minutes(text: str) -> float:
    return _seconds(text, "minutes")


def _whole(least: int, most: int = MOST_TRIALS) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return parse


def _fetched(text: str) -> str:
    if not _FETCHED.fullmatch(text):
        raise ValueError("expected what `energygate baseline fetch` gives")
    return text


def _seconds(text: str, unit: str = "seconds") -> float:
    seconds = _number(text)
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"expected {unit} above 0")
    return seconds


def _patience(text: str) -> float:
    seconds = _number(text)
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError("expected seconds, or 0")
    return seconds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _budget(text: str) -> float:
    budget = parse_percent(text)
    if not 0 < budget <= 1:
        raise ValueError("expected a percentage above 0% and up to 100%")
    return budget


def _truth(text: str | bool) -> bool:  # noqa: FBT001  a flag of the command line arrives as True
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    value = words.get(str(text).lower())
    if value is None:
        raise ValueError("expected true or false")
    return value


def _mode(text: str) -> Mode:
    return _one_of(text, Mode)


def _outcome(text: str) -> Outcome:
    outcome = _one_of(text, Outcome)
    if outcome not in FAILABLE:
        raise ValueError(f"it is a proven pass; allowed: {', '.join(FAILABLE)}")
    return outcome


def _one_of(text: str, kind: type[E]) -> E:
    try:
        return kind(text)
    except ValueError as error:
        alike = get_close_matches(str(text), list(kind), n=1)
        meant = f"did you mean {alike[0]}? " if alike else ""
        raise ValueError(f"{meant}allowed: {', '.join(kind)}") from error


def require_distinct(paths: Sequence[Path]) -> None:
    """Refuse to write two things to one file. Raises ConfigError."""
    if len({resolved(path) for path in paths}) < len(paths):
        raise ConfigError("Two of the files to write are the same.", fix="Give each report and the run its own file.")


def _report_file(text: str) -> ReportTarget:
    target = report_target(text)
    if target.path == STDOUT:
        raise ValueError("only `energygate report` writes to standard output, where this prints already")
    return target


def report_target(text: str) -> ReportTarget:
    """Read FORMAT:FILE, where FILE may be `STDOUT`. Raises ValueError."""
    name, _, file = text.partition(":")
    if not file:
        raise ValueError(f"expected FORMAT:FILE with the format {named_formats()}")
    if name not in FORMATS:
        alike = get_close_matches(name, FORMATS, n=1)
        meant = f" Did you mean {alike[0]}?" if alike else ""
        raise ValueError(f"there is no such format.{meant} There are {named_formats('and')}")
    require_extra(name, FORMATS[name], is_installed=find_spec)
    return ReportTarget(format=name, path=Path(file))


def require_extra(name: str, found: Format, *, is_installed: Callable[[str], object]) -> None:
    """Refuse a format whose libraries are not installed. Raises ConfigError.

    They are looked up, not imported: this process may measure itself, and would then carry them along.
    """
    missing = found.missing(is_installed)
    if missing:
        raise ConfigError(
            f"A report as {name} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed.",
            why="Without that it cannot be written.",
            fix=f"Run `pip install 'energygate[{found.extra}]'`, or ask for another format.",
        )


def is_path(baselines: str) -> bool:
    """Whether `baselines:` names a folder, which may be relative, and no other kind of store."""
    return not baselines.startswith("git:") and "://" not in baselines
