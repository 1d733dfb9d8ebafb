"""What a suite file may say. The structs refuse unknown keys and impossible values, each with its path.

Times are seconds, percentages are written ``2%``. Keys that name text under test (prompts, a system prompt) keep it
out of their `repr`.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from energygate import units
from energygate.model import MOST_COUNTED

Name = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Argv = Annotated[tuple[str, ...], Meta(min_length=1)]
Text = Annotated[str, Meta(min_length=1)]
# Every number has both bounds: .inf is YAML for one too, and so is a line of digits.
LONGEST_S: Final = 1e9
MOST_TRIALS: Final = 1_000_000
PositiveSeconds = Annotated[float, Meta(gt=0, le=LONGEST_S)]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_S)]
PositiveCount = Annotated[int, Meta(ge=1, le=MOST_COUNTED)]
Pid = Annotated[int, Meta(ge=1, le=2**22)]  # the most that Linux gives out
Trials = Annotated[int, Meta(ge=1, le=MOST_TRIALS)]
WarmUps = Annotated[int, Meta(ge=0, le=MOST_TRIALS)]
MaxTokens = Annotated[int, Meta(ge=1, le=1_000_000)]
LimitMetric = Literal["j_per_request", "j_per_output_token", "j_per_total_token", "energy_j"]
Limits = dict[LimitMetric, Annotated[float, Meta(gt=0, le=1e12)]]

_OWN_FIELDS: Final = frozenset({"model", "messages", "max_tokens", "temperature", "seed", "stream"})


class _Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping in a suite file whose keys are all known."""


class TrialOverrides(_Keys, frozen=True, kw_only=True):
    """How a benchmark is measured, where it differs from the configuration. What is None is taken from there."""

    count: Trials | None = None
    warmup: WarmUps | None = None
    min_time: PositiveSeconds | None = None
    min_time_gpu: PositiveSeconds | None = None
    cooldown: Seconds | None = None
    max_invalid: Annotated[float, Meta(ge=0, le=1)] | None = None


class Ready(_Keys, frozen=True, kw_only=True):
    """How a server shows that it can answer: status 200 at `path` of its root, within `timeout` seconds."""

    path: Annotated[str, Meta(pattern=r"^/[^\s\x00-\x1f\x7f]*\Z")] = "/health"
    timeout: PositiveSeconds = 120.0


class ServerSpec(_Keys, frozen=True, kw_only=True):
    """A model server that energygate starts and stops.

    Attributes
    ----------
    command : tuple of str
        Its arguments, without a shell; ``{port}`` and ``{python}`` are replaced.
    cwd : str
        Relative to the suite file.
    stop_grace : float
        Seconds from TERM to KILL.
    """

    command: Argv
    cwd: str = "."
    env: dict[str, str] = {}
    ready: Ready = Ready()
    stop_grace: Seconds = 10.0


class Endpoint(_Keys, frozen=True, kw_only=True):
    """Where the model answers.

    Attributes
    ----------
    api_key_env : str or None
        The *name* of the variable that holds the key.
    pid : int or None
        A server that is already running, for the meter that estimates by CPU time.
    """

    url: Text
    model: Text
    api_key_env: Text | None = None
    pid: Pid | None = None

    def __post_init__(self) -> None:
        if any(char.isspace() or not char.isprintable() for char in self.url):
            raise ValueError("url must not hold blanks or control characters")
        try:
            url = urlsplit(self.url.replace("{port}", "1"))
            host, _ = url.hostname, url.port
        except ValueError as error:
            raise ValueError(f"url is not a URL: {error}") from error
        if url.scheme not in {"http", "https"} or not host:
            raise ValueError("url must read http://HOST:PORT/v1 or https://HOST:PORT/v1")
        if "@" in url.netloc:
            raise ValueError("url must not hold a user or password: a key belongs into the variable of api_key_env")
        if url.query or url.fragment:
            raise ValueError("url must not hold a query or fragment: /chat/completions is appended to it")


class Message(_Keys, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str

    def __post_init__(self) -> None:
        if not self.content:
            raise ValueError('"content" is empty')

    def __repr__(self) -> str:
        return f"Message(role={self.role!r})"


class Prompt(_Keys, frozen=True, kw_only=True):
    """One request of a dataset: a conversation, or a prompt that becomes its only user message."""

    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    id: str | None = None
    max_tokens: MaxTokens | None = None

    def __post_init__(self) -> None:
        if (self.messages is None) == (self.prompt is None):
            raise ValueError('give either "messages" or "prompt"')
        if self.messages == ():
            raise ValueError('"messages" is empty. A server answers it, with nothing to measure')
        if self.prompt == "":  # None has been ruled out above: this is a prompt that is there and empty
            raise ValueError('"prompt" is empty')

    def __repr__(self) -> str:
        return f"Prompt(id={self.id!r})"


class TextFile(_Keys, frozen=True, kw_only=True):
    """A text that stands in a file of its own, relative to the suite file."""

    file: Text


class Requests(_Keys, frozen=True, kw_only=True):
    """What is asked. `system` is under test and therefore no part of the workload's hash."""

    max_tokens: MaxTokens
    dataset: Text | None = None
    prompts: Annotated[tuple[Annotated[str, Meta(min_length=1)] | Prompt, ...], Meta(min_length=1)] | None = None
    system: Text | TextFile | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] = 0.0
    seed: Annotated[int, Meta(ge=-MOST_COUNTED, le=MOST_COUNTED)] = 7
    output_tolerance: str = "2%"
    extra_body: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.prompts is None):
            raise ValueError("give either dataset or prompts")
        if units.parse_percent(self.output_tolerance) > 1:
            raise ValueError(f"output_tolerance must be at most 100%, got {self.output_tolerance}")
        if owned := sorted(_OWN_FIELDS & self.extra_body.keys()):
            raise ValueError(f"extra_body must not set {', '.join(owned)}: energygate sets and checks it itself")

    @property
    def tolerance(self) -> float:
        """`output_tolerance` as a fraction."""
        return units.parse_percent(self.output_tolerance)

    def __repr__(self) -> str:
        return f"Requests(dataset={self.dataset!r}, max_tokens={self.max_tokens})"


class Load(_Keys, frozen=True, kw_only=True):
    """A closed loop: so many requests are in flight at any moment."""

    concurrency: Annotated[int, Meta(ge=1, le=4096)] = 1


class Timeouts(_Keys, frozen=True, kw_only=True):
    """Deadlines of one request in seconds: for the connection, and for the whole of it."""

    connect: PositiveSeconds = 5.0
    request: PositiveSeconds = 300.0


class InferenceSuite(_Keys, frozen=True, kw_only=True, tag_field="kind", tag="inference"):
    """Requests to a model server that speaks OpenAI's chat API."""

    name: Name
    endpoint: Endpoint
    requests: Requests
    server: ServerSpec | None = None
    load: Load = Load()
    timeouts: Timeouts = Timeouts()
    trials: TrialOverrides = TrialOverrides()
    limits: Limits = {}

    def __post_init__(self) -> None:
        if "{port}" in self.endpoint.url and self.server is None:
            raise ValueError("endpoint.url has {port}, which only a server that energygate starts can have")


class Extract(_Keys, frozen=True, kw_only=True):
    """Where a command's output says a count: a dotted path into its last JSON line, or a pattern with one group."""

    json: Text | None = None
    regex: Text | None = None

    def __post_init__(self) -> None:
        if (self.json is None) == (self.regex is None):
            raise ValueError("give either json or regex")
        if self.regex is not None and _groups(self.regex) != 1:
            raise ValueError(f"regex {self.regex!r} needs exactly one group, the count")


def _groups(pattern: str) -> int:
    try:
        return re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"regex {pattern!r}: {error}") from error


class WorkRules(_Keys, frozen=True, kw_only=True):
    """How each count of a command is known; what has no rule may still come from its result file."""

    requests: PositiveCount | Extract | None = None
    input_tokens: PositiveCount | Extract | None = None
    output_tokens: PositiveCount | Extract | None = None
    cached_input_tokens: PositiveCount | Extract | None = None
    reasoning_tokens: PositiveCount | Extract | None = None

    def declared(self) -> Iterator[tuple[str, int | Extract]]:
        """Every count that has a rule, with it."""
        for name in self.__struct_fields__:
            rule = getattr(self, name)
            if rule is not None:
                yield name, rule


class CommandSuite(_Keys, frozen=True, kw_only=True, tag_field="kind", tag="command"):
    """A program; one trial is one run of it, start-up included.

    Attributes
    ----------
    setup : tuple of str or None
        Run once, before anything is measured.
    """

    name: Name
    command: Argv
    setup: Argv | None = None
    env: dict[str, str] = {}
    timeout: PositiveSeconds = 600.0
    work: WorkRules = WorkRules()
    trials: TrialOverrides = TrialOverrides()
    limits: Limits = {}


Suite = InferenceSuite | CommandSuite


def duplicate_name(suites: tuple[Suite, ...]) -> str | None:
    """A sentence that names the first two suites which share a name, if any do."""
    seen: dict[str, int] = {}
    for index, suite in enumerate(suites):
        if suite.name in seen:
            return f"suites[{seen[suite.name]}] and suites[{index}] are both named {suite.name!r}; rename one of them"
        seen[suite.name] = index
    return None


class SuiteFile(_Keys, frozen=True, kw_only=True):
    """A whole ``*.energy.yml``."""

    version: Literal[1]
    suites: Annotated[tuple[Suite, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if sentence := duplicate_name(self.suites):
            raise ValueError(sentence)
