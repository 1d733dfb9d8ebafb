"""Which process listens on a TCP port: the kernel's table of sockets, and who holds them open."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from energygate.workloads.proc import PROC, Stat, living

_LISTEN: Final = "0A"
_INIT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The sockets that listen on one port in our network namespace, at whatever address.

    Attributes
    ----------
    sockets : frozenset of str
        As ``/proc/PID/fd`` names them. Empty also where the kernel does not say.
    """

    sockets: frozenset[str]
    proc: Path = PROC

    @classmethod
    def on(cls, port: int, *, proc: Path = PROC) -> Self:
        """Find those of a port."""
        return cls(sockets=frozenset(_listening(port, proc)), proc=proc)

    def held_by_tree(self, root: int) -> bool | None:
        """Whether a process, or one that descends from it, holds one of them; None where that may not be seen."""
        held = {self._held_by(pid) for pid in _tree(root, dict(living(self.proc)))}
        return True if True in held else None if None in held else False

    def holder(self) -> tuple[int, Stat] | None:
        """The process that holds one of them, the parent before its children; None where none is seen to."""
        # Whose socket init has made for it, holds it too.
        held = {pid: stat for pid, stat in living(self.proc) if pid != _INIT and self._held_by(pid)}
        return next(((pid, stat) for pid, stat in sorted(held.items()) if stat.parent not in held), None)

    def _held_by(self, pid: int) -> bool | None:
        folder = self.proc / str(pid)
        try:
            if any(_target(descriptor) in self.sockets for descriptor in (folder / "fd").iterdir()):
                return True
            # In another network namespace it may be reached by this port all the same, as containers are.
            same = (folder / "ns/net").readlink() == (self.proc / "self/ns/net").readlink()
        except PermissionError:
            return None
        except (FileNotFoundError, ProcessLookupError):
            return False  # it has ended
        return False if same else None


def _tree(root: int, table: dict[int, Stat]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat.parent, []).append(pid)
    found, new = {root}, {root}
    while new := {child for pid in new for child in children.get(pid, ())} - found:
        found |= new
    return found


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""  # closed meanwhile


def _listening(port: int, proc: Path) -> Iterator[str]:
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (proc / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for _, local, _, state, *rest in (line.split() for line in lines):  # proc_pid_net(5)
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                yield f"socket:[{rest[5]}]"
