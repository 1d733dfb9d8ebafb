"""Child processes in a group of their own, which end with us: no server outlives its benchmark."""

import errno
import logging
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Final, Self

from energygate.clock import Clock, SystemClock
from energygate.workloads.text import printable

TAIL_LINES: Final = 20
_POLL_S: Final = 0.02
_LONGEST_POLL_MS: Final = 2**31 - 1
_KILLED_S: Final = 2.0  # how long the kernel gets to remove a killed process
_SECRET_NAMES: Final = frozenset({"ENERGYGATE_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"})
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a process writes. One path for both streams keeps their order."""

    stdout: Path
    stderr: Path


@dataclass(slots=True, kw_only=True)
class Process:
    """A running child, its process group, and those of its descendants that left the group: the strays."""

    popen: "subprocess.Popen[bytes]" = field(repr=False)
    clock: Clock = field(default_factory=SystemClock)
    proc: Path = Path("/proc")
    _strays: dict[int, int] = field(default_factory=dict, repr=False)  # process id: start time

    @classmethod
    def start(
        cls, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Output, clock: Clock | None = None
    ) -> Self:
        """Start `argv` without a shell, with no input, in a new session.

        Raises
        ------
        OSError
            If there is no such program or folder, or the system can take no such arguments or environment.
        """
        with _private(output.stdout) as out, _private(output.stderr) as err:
            try:
                popen = subprocess.Popen(  # noqa: S603  the suite file names the command, and is trusted like code
                    [*_die_with_parent(), *argv],
                    cwd=cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except (ValueError, TypeError) as error:
                # A NUL byte, or a name of a variable with an equals sign.
                raise OSError(errno.EINVAL, str(error), argv[0]) from error
        return cls(popen=popen, clock=clock or SystemClock())

    @property
    def pid(self) -> int:
        """The leader's process id, which is also its group's."""
        return self.popen.pid

    def death(self) -> str | None:
        """How the leader ended, in words; None while it runs."""
        status = self.popen.poll()
        return None if status is None else described(status)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the leader. Give its exit status, or None if it still runs after `timeout_s`."""
        try:
            ended = os.pidfd_open(self.pid)
        except OSError:
            # It has been reaped, or the kernel is older than 5.3: then Popen looks every 50 ms.
            patience_s = timeout_s
        else:
            patience_s = 0.0
            _wait_until_readable(ended, timeout_s)
        try:
            return self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None

    def group(self) -> tuple[int, ...]:
        """Every living process of the group; a zombie does not live."""
        return tuple(sorted(pid for pid, each in _living(self.proc) if each.group == self.pid))

    def stop(self, grace_s: float) -> None:
        """End the group and its strays: TERM, after `grace_s` seconds KILL; reap the leader. Safe to call twice."""
        if self._left_nothing():
            return
        for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, _KILLED_S)):
            self._note_strays()
            if not self._is_alive():
                break
            if self.popen.poll() is None or self.group():
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, number)
            for pid in self._living_strays():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            self._wait_for_end(patience_s)
        if survivors := (*self.group(), *self._living_strays()):
            _LOG.warning(
                "Still alive after SIGKILL: %s. They use energy that later trials will be charged with.", survivors
            )

    def _left_nothing(self) -> bool:
        """Whether it ended with its whole group: nothing leads to a stray then, and /proc need not be read."""
        if self._strays or self.popen.poll() is None:
            return False
        try:
            os.killpg(self.pid, 0)
        except OSError as error:  # or EPERM: there is somebody, of another user
            return error.errno == errno.ESRCH
        return False

    def _note_strays(self) -> None:
        """Remember who descends from the group but left it: once its parent has ended, nothing tells whose it was."""
        living = dict(_living(self.proc))
        ours = {pid for pid, each in living.items() if each.group == self.pid} | set(self._living_strays())
        found = ours
        while found:
            found = {pid for pid, each in living.items() if each.parent in found} - ours
            ours |= found
        self._strays.update((pid, living[pid].started) for pid in ours & living.keys() if living[pid].group != self.pid)

    def _living_strays(self) -> tuple[int, ...]:
        """Those that still run; a process with the same number but another start is somebody else's."""
        now = {pid: _stat_of(pid, self.proc) for pid in self._strays}
        return tuple(sorted(pid for pid, each in now.items() if each and each.started == self._strays[pid]))

    def _is_alive(self) -> bool:
        return self.popen.poll() is None or bool(self.group()) or bool(self._living_strays())

    def _wait_for_end(self, patience_s: float) -> None:
        deadline_s = self.clock.now_s() + patience_s
        while self._is_alive() and self.clock.now_s() < deadline_s:
            self.clock.sleep(_POLL_S)


def described(status: int) -> str:
    """Say how a process ended: `status` as Popen gives it, negative for a signal."""
    return f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"


def child_environment(environ: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Our environment without the tokens that let us write to a repository, and with what the suite adds."""
    kept = {
        name: value for name, value in environ.items() if name not in _SECRET_NAMES and not name.startswith("ACTIONS_")
    }
    return kept | dict(added)


def log_tail(path: Path, *, show: Callable[[str], str] = printable) -> str:
    """Return the last lines of a file, each fit to be shown, joined by `` | ``."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error.strerror})"
    filled = (shown for line in reversed(lines) if (shown := show(line)))
    return " | ".join(reversed(list(islice(filled, TAIL_LINES)))) or "(none)"


def _die_with_parent() -> tuple[str, ...]:
    # Without it a SIGKILLed energygate leaves its server running.
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def _private(path: Path) -> IO[bytes]:
    # Append, because stdout and stderr may be one file; 0600, because a server's log may hold prompts.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")


def _wait_until_readable(descriptor: int, timeout_s: float) -> None:
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll(min(timeout_s * 1000, _LONGEST_POLL_MS))
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stat:
    """What /proc says of one process. `started` tells it from a later one with the same number."""

    parent: int
    group: int
    started: int


def _living(proc: Path) -> Iterator[tuple[int, _Stat]]:
    for entry in proc.iterdir():
        if entry.name.isdigit() and (stat := _stat_of(int(entry.name), proc)) is not None:
            yield int(entry.name), stat


def _stat_of(pid: int, proc: Path) -> _Stat | None:
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # it ended since its folder was listed
    # The command name, in parentheses, may hold blanks: count fields after the last parenthesis (man 5 proc).
    state, parent, group, *rest = text.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else _Stat(parent=int(parent), group=int(group), started=int(rest[16]))
