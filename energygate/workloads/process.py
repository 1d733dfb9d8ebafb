"""Child processes in a group of their own, which end with us: no server outlives its benchmark."""

import errno
import logging
import os
import secrets
import select
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Final, Self

from energygate.children import adopts_orphans
from energygate.clock import Clock, SystemClock
from energygate.signals import interrupts_held_back
from energygate.workloads.descendants import Descendants
from energygate.workloads.proc import MARK, ticks_now
from energygate.workloads.text import printable

TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 65536  # twenty lines as they are shown, and much more
_LONGEST_POLL_MS: Final = 2**31 - 1
_REAPED_S: Final = 2.0  # how long the kernel gets to remove a process that has ended
_SECRET_NAMES: Final = frozenset(
    {
        "ENERGYGATE_GITHUB_TOKEN",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "ENERGYGATE_ELECTRICITYMAPS_TOKEN",
        "ENERGYGATE_WATTTIME_USER",
        "ENERGYGATE_WATTTIME_PASSWORD",
    }
)
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a process writes. One path for both streams keeps their order."""

    stdout: Path
    stderr: Path


def new_mark() -> str:
    """Give a mark that no process carries yet."""
    return secrets.token_hex(16)


@dataclass(slots=True, kw_only=True)
class Process:
    """A running child and everything that descends from it."""

    popen: "subprocess.Popen[bytes]" = field(repr=False)
    descendants: Descendants
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: Output,
        clock: Clock | None = None,
        mark: str | None = None,
        wrap: Sequence[str] = (),
    ) -> Self:
        """Start `argv` without a shell, with no input, in a new session.

        Parameters
        ----------
        mark : str, optional
            Put into its environment, which tells its descendants from others; a new one if left out.
        wrap : sequence of str
            Words before `argv`, of a program that becomes it; see `dying_with_us`.

        Raises
        ------
        OSError
            If there is no such program or folder, or the system can take no such arguments or environment.
        """
        mark, since, adopted = mark or new_mark(), ticks_now(), adopts_orphans()
        with _private(output.stdout) as out, _private(output.stderr) as err:
            try:
                if wrap:
                    _require_program(argv[0], cwd=cwd, env=env)
                popen = subprocess.Popen(  # noqa: S603  the suite file names the command, and is trusted like code
                    [*wrap, *argv],
                    cwd=cwd,
                    env=_marked(env, mark),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except (ValueError, TypeError) as error:
                # A NUL byte, or a name of a variable with an equals sign.
                raise OSError(errno.EINVAL, str(error), argv[0]) from error
        descendants = Descendants(leader=popen.pid, mark=mark, since=since, adopted=adopted)
        return cls(popen=popen, descendants=descendants, clock=clock or SystemClock())

    @property
    def pid(self) -> int:
        """The leader's process id, which is also its group's."""
        return self.popen.pid

    def death(self) -> str | None:
        """How the leader ended, in words; None while it runs."""
        status = self.wait(0)
        return None if status is None else described(status)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the leader. Give its exit status, or None if it still runs after `timeout_s`."""
        if self.popen.returncode is None:
            patience_s = self._await_end(timeout_s) if timeout_s > 0 else 0.0
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(patience_s)
                self.descendants.note_reaped()
        return self.popen.returncode

    def stop(self, grace_s: float) -> None:
        """End it and all its descendants: TERM, after `grace_s` seconds KILL; reap it. Safe to call twice.

        An interrupt meanwhile ends the grace, and is delivered when nothing of it lives.
        """
        with interrupts_held_back():
            survivors = self.descendants.end(grace_s, clock=self.clock)
            # Its threads may end after it, and until then hold what it held: its port, for example.
            self.wait(_REAPED_S)
            if survivors:
                _LOG.warning(
                    "Still alive after SIGKILL: %s. They use energy that later trials will be charged with.",
                    ", ".join(survivors),
                )
            if doubtful := ", ".join(self.descendants.named(self.descendants.doubtful)):
                _LOG.warning(
                    "Left running, because nothing proves whose it is: %s. It began meanwhile, and has neither its "
                    "parents nor its environment. Later trials are charged with its energy: stop it if it is yours.",
                    doubtful,
                )

    def _await_end(self, timeout_s: float) -> float:
        """Sleep until it has ended; give the seconds that are to be waited otherwise."""
        try:
            ended = os.pidfd_open(self.pid)
        except OSError:
            # Somebody else has reaped it, or the kernel is older than 5.3: then Popen looks every 50 ms.
            return timeout_s
        _wait_until_readable(ended, timeout_s)
        return 0.0


def dying_with_us() -> tuple[str, ...]:
    """What to wrap a command in, so that it is killed when this process is: else the next start ends it."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def described(status: int) -> str:
    """Say how a process ended: `status` as Popen gives it, negative for a signal."""
    return f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"


def child_environment(environ: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Our environment without the keys that are ours alone, and with what the suite adds."""
    kept = {
        name: value for name, value in environ.items() if name not in _SECRET_NAMES and not name.startswith("ACTIONS_")
    }
    return kept | dict(added)


def log_tail(path: Path, *, hide: Callable[[str], str] | None = None) -> str:
    """Return the last lines of a file, each fit to be shown, joined by `` | ``.

    Parameters
    ----------
    hide : callable, optional
        Takes out of the text what nobody may see, before it is parted into lines.
    """
    try:
        with path.open("rb") as log:
            skipped = log.seek(max(log.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
            text = log.read(_TAIL_BYTES).decode(errors="replace")
    except OSError as error:
        return f"(no log: {error.strerror})"
    if skipped:
        text = text.partition("\n")[2] or text  # a part of a secret is not recognised
    lines = (hide(text) if hide else text).splitlines()
    filled = (shown for line in reversed(lines) if (shown := printable(line)))
    return " | ".join(reversed(list(islice(filled, TAIL_LINES)))) or "(none)"


def _marked(env: Mapping[str, str], mark: str) -> dict[str, str]:
    # Added, because energygate itself may be measured by another one, which must find its descendants too.
    return {**env, MARK: f"{env[MARK]},{mark}" if MARK in env else mark}


def _require_program(word: str, *, cwd: Path, env: Mapping[str, str]) -> None:
    """Raise OSError unless exec would find it. Behind `wrap` nobody else would say so."""
    folders = [""] if "/" in word else env.get("PATH", os.defpath).split(os.pathsep)
    if cwd.is_dir() and not any(shutil.which(cwd / folder / word) for folder in folders):
        number = errno.EACCES if "/" in word and (cwd / word).exists() else errno.ENOENT
        raise OSError(number, os.strerror(number), word)


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
