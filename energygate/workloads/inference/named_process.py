"""Is the process that a suite names the server that it asks? Otherwise an estimate would charge a stranger."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from energygate.errors import WorkloadError
from energygate.workloads.address import is_this_machine
from energygate.workloads.listening import Listening
from energygate.workloads.proc import PROC, stat_of
from energygate.workloads.suites import Endpoint
from energygate.workloads.text import printable


def check_pid(pid: int, endpoint: Endpoint, *, suite: str, proc: Path = PROC) -> str | None:
    """Look whether `endpoint.pid`, or a descendant of it, listens on the port of `endpoint.url`.

    Parameters
    ----------
    suite : str
        Its name, for messages.

    Returns
    -------
    str or None
        What a person should know where that may not be seen, or something may stand between them.

    Raises
    ------
    WorkloadError
        If there is no such process, or another one listens there.
    """
    hidden = _hidden(pid, suite=suite, proc=proc)
    url = urlsplit(endpoint.url)
    listening = Listening.on(url.port or (443 if url.scheme == "https" else 80), proc=proc)
    held = None if hidden else listening.held_by_tree(pid)
    if held:
        return None
    if held is None or not listening.sockets or endpoint.same_machine is True or not _is_here(url.hostname or ""):
        return (
            f"endpoint.pid: nothing shows that process {pid} answers at {endpoint.url}. If it does not, an estimate "
            "lacks the server's CPU seconds, and they count as foreign load"
        )
    raise _not_the_server(pid, listening, endpoint, suite=suite)


def _hidden(pid: int, *, suite: str, proc: Path) -> bool:
    """Whether /proc does not show it (mount option `hidepid`). Raises WorkloadError if there is none."""
    if stat_of(pid, proc) is not None:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's
    except ProcessLookupError:
        pass
    raise WorkloadError(
        f"{suite}: endpoint.pid: no process {pid}.",
        why="Without the server's own, its CPU seconds are in no estimate, and count as foreign load.",
        fix="Give the number that the server has now, or let energygate start it with `server:`.",
    )


def _not_the_server(pid: int, listening: Listening, endpoint: Endpoint, *, suite: str) -> WorkloadError:
    named, holder = stat_of(pid, listening.proc), listening.holder()
    who = f"process {pid}" + (f" ({printable(named.name)})" if named else "")
    other, fix = "another one does", "Give the process id of the server: `ss -ltnp` names it"
    if holder is not None:
        other = f"process {holder[0]} ({printable(holder[1].name)}) does"
        fix = f"Write pid: {holder[0]}"
    return WorkloadError(
        f"{suite}: endpoint.pid: neither {who} nor a descendant of it listens where {endpoint.url} leads; {other}.",
        why="An estimate would charge the wrong process.",
        fix=f"{fix}; or same_machine: true, where that one only passes requests on to process {pid}.",
    )


def _is_here(host: str) -> bool:
    try:
        return is_this_machine(host)
    except (OSError, UnicodeError):
        return False
