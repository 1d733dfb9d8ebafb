"""A server that somebody else runs: it is there before the suite, and stays."""

from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.named_process import check_pid
from energygate.workloads.suites import Endpoint


class Elsewhere:
    """What a suite sees of it, in the place of a `Server` that energygate starts.

    Parameters
    ----------
    name : str
        The suite's, for messages.

    Attributes
    ----------
    url : str
        The endpoint's.
    pids : tuple of int or None
        Its process, which is outside our tree; None if nobody named it.
    pid : None
        No process of ours.
    notes : tuple of str
        What a person should know of that process.
    """

    pid: int | None = None

    def __init__(self, endpoint: Endpoint, *, name: str) -> None:
        self.url = endpoint.url
        self.notes: tuple[str, ...] = ()
        self._endpoint = endpoint
        self._name = name
        self.pids = None if endpoint.pid is None else (endpoint.pid,)

    def start(self, _http: HttpClient) -> None:
        """It runs already: see whether it is the process that was named. Raises WorkloadError."""
        pid = self._endpoint.pid
        note = None if pid is None else check_pid(pid, self._endpoint, suite=self._name)
        self.notes = () if note is None else (note,)

    def stop(self) -> None:
        """It goes on running."""

    def death(self, *, patience_s: float = 0.0) -> str | None:  # noqa: ARG002  it is not our child
        """Whether it lives, only its answers tell."""
        return None

    def death_in_trial(self) -> str | None:
        """Whether it lives, only its answers tell."""
        return None

    def revived(self, _http: HttpClient) -> bool:
        """Whoever runs it may start it again."""
        return False
