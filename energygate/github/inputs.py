"""The action's inputs, as action.yml hands them over: in variables, and an empty one says nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self, TypeVar

from energygate.errors import ConfigError
from energygate.github.base import AUTO
from energygate.github.comment import How, When
from energygate.github.event import ActionMode
from energygate.workloads.text import printable

E = TypeVar("E", bound=StrEnum)
_ID: Final = re.compile(r"(?!.*--)[A-Za-z0-9._-]{1,64}")  # `--` may not stand in an HTML comment
_LOGIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}(\[bot\])?")
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_RUN: Final = "energygate run"
_BOOLEANS: Final = {"true": True, "false": False}


class CheckRunWhen(StrEnum):
    """The input `check-run`."""

    AUTO = "auto"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureInputs:
    """What to measure, and how.

    Attributes
    ----------
    run : str
        Read by bash.
    setup, config, baselines, fail_on : str
        Empty where the settings file decides.
    """

    run: str = _RUN
    setup: str = ""
    config: str = ""
    mode: ActionMode = ActionMode.AUTO
    against: str = AUTO
    baselines: str = ""
    fail_on: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read them. Raises ConfigError, naming the input and what it may be."""
        given = _Given(environ)
        return cls(
            run=given.text("run", _RUN),
            setup=given.text("setup"),
            config=given.text("config"),
            mode=given.one_of("mode", ActionMode.AUTO),
            against=given.text("against", AUTO),
            baselines=given.text("baselines"),
            fail_on=given.text("fail-on"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishInputs:
    """What to publish, and where.

    Attributes
    ----------
    id : str
        One comment and one check run each.
    comment_author : str
        The login that the token's comments have.
    run_file : Path or None
        The run that was measured.
    token : str
        Empty where nothing is to be written to GitHub. It is in no representation.
    """

    id: str = "default"
    mode: ActionMode = ActionMode.AUTO
    comment: When = When.ON_CHANGE
    comment_mode: How = How.UPDATE
    comment_author: str = "github-actions[bot]"
    check_run: CheckRunWhen = CheckRunWhen.AUTO
    annotations: bool = True
    summary: bool = True
    never_fail: bool = False
    baselines: str = ""
    run_file: Path | None = None
    token: str = field(default="", repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read them. Raises ConfigError, naming the input and what it may be."""
        given = _Given(environ)
        run_file = given.text("run-file")
        return cls(
            id=given.matching("id", _ID, "default", "1 to 64 of A-Z a-z 0-9 . _ - without --"),
            mode=given.one_of("mode", ActionMode.AUTO),
            comment=given.one_of("comment", When.ON_CHANGE),
            comment_mode=given.one_of("comment-mode", How.UPDATE),
            comment_author=given.matching("comment-author", _LOGIN, "github-actions[bot]", "a login of GitHub"),
            check_run=given.one_of("check-run", CheckRunWhen.AUTO),
            annotations=given.truth("annotations", "true"),
            summary=given.truth("summary", "true"),
            never_fail=given.truth("never-fail", "false"),
            baselines=given.text("baselines"),
            run_file=Path(run_file) if run_file else None,
            token=given.secret("github-token"),
        )


@dataclass(frozen=True, slots=True)
class _Given:
    """The inputs by their names in action.yml."""

    environ: Mapping[str, str] = field(repr=False)

    def text(self, name: str, default: str = "") -> str:
        return self.environ.get(f"ENERGYGATE_{name.upper().replace('-', '_')}") or default

    def one_of(self, name: str, default: E) -> E:
        text, kind = self.text(name, default), type(default)
        if text not in list(kind):
            raise _wrong(name, text, ", ".join(kind))
        return kind(text)

    def truth(self, name: str, default: str) -> bool:
        text = self.text(name, default)
        if text not in _BOOLEANS:
            raise _wrong(name, text, ", ".join(_BOOLEANS))
        return _BOOLEANS[text]

    def matching(self, name: str, pattern: re.Pattern[str], default: str, allowed: str) -> str:
        text = self.text(name, default)
        if not pattern.fullmatch(text):
            raise _wrong(name, text, allowed)
        return text

    def secret(self, name: str) -> str:
        text = self.text(name)
        if text and not _TOKEN.fullmatch(text):
            raise ConfigError(
                f"input {name}: a token has no blanks, line ends or other such characters.",
                why="It would be no header of a request.",
                fix="Give the token alone, or leave it empty to publish nothing but the summary.",
            )
        return text


def _wrong(name: str, text: str, allowed: str) -> ConfigError:
    return ConfigError(f"input {name}: {printable(text, limit=80)!r}: it may be: {allowed}.")
