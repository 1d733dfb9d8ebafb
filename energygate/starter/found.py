"""What `energygate init` found: the repository, and the counters of the machine."""

from dataclasses import dataclass
from typing import Final

from energygate.meters.diagnosis import Probe

CONFIG: Final = "energygate.yml"
RUNNER: Final = ("self-hosted", "linux", "energy-lab")
"""The labels of a runner with counters, as the examples call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServer:
    """A server of language models that the repository mentions.

    Attributes
    ----------
    name : str
        `vllm`, `sglang`, `llama.cpp`, `ollama`, or `generic` where only an address is known.
    file : str
        Where it is mentioned.
    model : str
        What it serves there; empty where that is not said.
    url : str
        Its address; empty where it is the server's usual one.
    """

    name: str
    file: str
    model: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """What the files say.

    Attributes
    ----------
    folder : str
        The project's folder below the top of its repository; empty where it is the top.
    way : str
        The project's folder from where the command was typed; empty where it is that.
    language : str
        Which file shows what the project is made of: `pyproject.toml`, `Cargo.toml`; empty where none does.
    is_python : bool
        Whether a first benchmark in Python is at home there; so it is where nothing says otherwise.
    package : str
        The package to import; empty where it is not known.
    install : str
        The command that installs the project; empty where there is none.
    benchmarks : str
        The folder where benchmarks are; empty where there is none.
    peers : int
        How many files have tests with pytest-benchmark.
    server : ModelServer or None
        A server of language models.
    gitlab : bool
        Whether GitLab runs its jobs.
    github : bool
        Whether GitHub Actions runs its jobs.
    branch : str
        The default branch.
    runner : tuple of str
        The labels of a self-hosted runner that a workflow names already; empty where none does.
    """

    folder: str = ""
    way: str = ""
    language: str = ""
    is_python: bool = True
    package: str = ""
    install: str = ""
    benchmarks: str = ""
    peers: int = 0
    server: ModelServer | None = None
    gitlab: bool = False
    github: bool = False
    branch: str = "main"
    runner: tuple[str, ...] = ()

    @property
    def wants_workflow(self) -> bool:
        """Whether a workflow of GitHub Actions is at home there: everywhere but where GitLab alone is used."""
        return self.github or not self.gitlab


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What can be measured with.

    Attributes
    ----------
    counters : tuple of Probe
        What was tried.
    allows_estimates : bool
        Whether the settings that are there already let estimates decide.
    sysfs : str
        Where sysfs is mounted.
    """

    counters: tuple[Probe, ...] = ()
    allows_estimates: bool = False
    sysfs: str = "/sys"

    @property
    def usable(self) -> tuple[str, ...]:
        """The counters whose numbers decide."""
        return tuple(found.name for found in self.counters if found.decides)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the others are not used."""
        return tuple(f"{found.name}: {_why(found)}" for found in self.counters if not found.decides)


def _why(found: Probe) -> str:
    return found.absent or (found.refusal.what if found.refusal else "sums up power readings, which is no counter")
