"""The servers of one run: suites that name the same one, and set `server.reuse`, share a process."""

from contextlib import ExitStack

from energygate.workloads.inference.server_process import Key, ServerProcess


class Servers:
    """Owns the processes that suites share. Whoever makes it closes it, at the end of the run."""

    def __init__(self) -> None:
        self._shared: dict[Key, ServerProcess] = {}

    def shared(self, process: ServerProcess) -> ServerProcess:
        """Give the process of the same server if there is one, else this one, which is kept for others."""
        return self._shared.setdefault(process.key, process)

    def close(self) -> None:
        """Stop them all, also where stopping one of them fails. Safe to call twice."""
        with ExitStack() as stopping:
            for process in self._shared.values():
                stopping.callback(process.stop)
