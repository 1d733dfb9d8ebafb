"""Talking to the runner: workflow commands, output and summary files, and what measured code may not see.

Limits of the runner: 10 annotations of a level per step, and a composite action is one step; messages of 4,096
characters; of a step's summary above 1,048,576 bytes it keeps nothing
(actions/runner: src/Runner.Worker/ExecutionContext.cs, FileCommandManager.cs).
"""

import base64
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from energygate.errors import ConfigError, EnergyGateError
from energygate.model import Annotation
from energygate.workloads.text import printable

Level = Literal["error", "warning", "notice"]
Tell = Callable[[str], None]

TITLE: Final = "energygate"
_LEVELS: Final[Mapping[str, Level]] = {"failure": "error", "warning": "warning", "notice": "notice"}
_MOST_PER_LEVEL: Final = 9
_MOST_CHARS: Final = 4_000
_SUMMARY_BYTES: Final = 900_000
_CUT: Final = "\n\n*The rest of this summary is left out: it is longer than the runner keeps.*\n"
_SECRETS: Final = frozenset(
    {
        "ENERGYGATE_GITHUB_TOKEN",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "GITHUB_ENV",
        "GITHUB_PATH",
        "GITHUB_OUTPUT",
        "GITHUB_STATE",
        "GITHUB_STEP_SUMMARY",
    }
)
_SECRET_KINDS: Final = ("ACTIONS_", "INPUT_")


def command(level: Level, message: str, *, title: str = TITLE, file: str | None = None, line: int | None = None) -> str:
    """Give the line that makes the runner annotate."""
    named = {"file": file, "line": None if line is None else str(line), "title": title}
    properties = ",".join(f"{name}={_property(value)}" for name, value in named.items() if value)
    return f"::{level}{' ' if properties else ''}{properties}::{_data(_shortened(message))}"


def annotation_commands(annotations: Iterable[Annotation], *, spent: Collection[Level] = ()) -> tuple[str, ...]:
    """Give a line for each annotation, in their order; beyond nine of a level one line counts the rest.

    Parameters
    ----------
    spent : collection of str
        Levels of which the runner must keep another line of this step.
    """
    given = tuple(annotations)
    lines: list[str] = []
    for name, level in _LEVELS.items():
        found = [each for each in given if each.level == name]
        most = _MOST_PER_LEVEL - (level in spent)
        lines += [command(level, a.message, title=a.title, file=a.path, line=a.line) for a in found[:most]]
        if len(found) > most:
            lines.append(command(level, f"and {len(found) - most} more, see the summary"))
    return tuple(lines)


def plain(text: str) -> str:
    """Give one line that the runner takes for no command: `::…` at its begin is one, `##[…` anywhere."""
    line = printable(text, limit=_MOST_CHARS).replace("##[", "## [")
    return f"|{line}" if line.startswith("::") else line


@contextmanager
def fence(tell: Tell) -> Iterator[None]:
    """Keep the runner from obeying what others print meanwhile.

    Parameters
    ----------
    tell : callable
        Writes a line at once.
    """
    token = uuid.uuid4().hex
    tell(f"::stop-commands::{token}")
    try:
        yield
    finally:
        tell(f"\n::{token}::")  # on a line of its own, also behind a line that was never ended


def event_payload(environ: Mapping[str, str]) -> object:
    """Read the document that describes the event. Raises ConfigError."""
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        raise ConfigError(
            "GITHUB_EVENT_PATH is not set.",
            why="GitHub Actions says with it what happened.",
            fix="Outside of it use energygate run, or pytest --energy.",
        )
    try:
        return msgspec.json.decode(Path(path).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"GITHUB_EVENT_PATH: {printable(path)} is no JSON document that can be read.",
            fix="Leave it as GitHub Actions sets it.",
        ) from error


def set_outputs(outputs: Mapping[str, str], *, environ: Mapping[str, str], tell: Tell) -> None:
    """Set the step's outputs; outside of GitHub Actions they are told. Raises EnergyGateError."""
    path = environ.get("GITHUB_OUTPUT")
    if path:
        _append(Path(path), "".join(_output(name, value) for name, value in outputs.items()).encode())
        return
    for name, value in outputs.items():
        tell(f"{name}={value}")


def add_summary(text: str, *, environ: Mapping[str, str], tell: Tell) -> None:
    """Append to the step's summary; outside of GitHub Actions it is told. Raises EnergyGateError."""
    path = environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        tell(text)
        return
    file = Path(path)
    _append(file, capped(text, most_bytes=_SUMMARY_BYTES - _size(file)).encode())


def capped(text: str, *, most_bytes: int) -> str:
    """Give the text, or its first lines and a sentence that says that they are not all."""
    data = _utf8(text).encode()
    if len(data) <= most_bytes:
        return data.decode()
    kept = data[: max(most_bytes - len(_CUT), 0)]
    return kept[: kept.rfind(b"\n") + 1].decode() + _CUT if most_bytes >= len(_CUT) else ""


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment for code that is measured: without the job's tokens, and without the runner's files.

    What the workflow's author put there stays: which of it is secret, no pattern tells.
    """
    return {
        name: value for name, value in environ.items() if name not in _SECRETS and not name.startswith(_SECRET_KINDS)
    }


def git_credentials(server_url: str, token: str, *, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that let git write to a repository; nothing is stored, and no argument shows the token.

    Parameters
    ----------
    environ : mapping
        What git is told besides: settings that stand there are numbered on from.
    """
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    # The empty one forgets the header that actions/checkout has kept: GitHub refuses two of them.
    headers = ("", f"AUTHORIZATION: basic {basic}")
    count = environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() else 0
    added = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": str(first + len(headers))}
    for number, header in enumerate(headers, start=first):
        added[f"GIT_CONFIG_KEY_{number}"] = f"http.{server_url}/.extraheader"
        added[f"GIT_CONFIG_VALUE_{number}"] = header
    return added


def _output(name: str, value: str) -> str:
    mark = f"EG_{uuid.uuid4().hex}"
    return f"{name}<<{mark}\n{_utf8(value)}\n{mark}\n"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # it is not there yet; whatever else is wrong with it, `_append` says


def _append(path: Path, data: bytes) -> None:
    """Append; never through a link, which measured code may have put there."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "ab") as file:
            file.write(data)
    except OSError as error:
        raise EnergyGateError(
            f"Cannot write {path}: {error.strerror}.", why="The runner reads the results there.", fix="Make room there."
        ) from error


def _data(text: str) -> str:
    return _utf8(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"


def _utf8(text: str) -> str:
    """Give text that can be written: half a pair of surrogates cannot."""
    return text.encode(errors="replace").decode()
