"""Which server answers, and how energygate starts it."""

from typing import Literal
from urllib.parse import urlsplit

from msgspec import field

from energygate.workloads.suites.keys import Argv, Keys, Pid, PositiveSeconds, Seconds, Text, UrlPath

PresetName = Literal["llama.cpp", "vllm", "sglang", "tensorrt-llm", "generic"]


class Ready(Keys, frozen=True, kw_only=True):
    """How a server shows that it can answer: status 200 at `path` of its root, within `timeout` seconds."""

    path: UrlPath = "/health"
    timeout: PositiveSeconds = 120.0


class ServerSpec(Keys, frozen=True, kw_only=True):
    """A model server that energygate starts and stops.

    Attributes
    ----------
    command : tuple of str
        Its arguments, without a shell; ``{port}`` and ``{python}`` are replaced.
    cwd : str
        Relative to the suite file.
    stop_grace : float
        Seconds from TERM to KILL.
    reuse : bool
        Whether suites with the same server share one process during a run. Each trial of an interleaved run is a run
        of its own, so it starts its own server all the same.
    """

    command: Argv
    cwd: str = "."
    env: dict[str, str] = field(default_factory=dict)
    ready: Ready = Ready()
    stop_grace: Seconds = 10.0
    reuse: bool = False

    @property
    def knows_port(self) -> bool:
        """Whether the chosen port reaches it."""
        return any("{port}" in text for text in (*self.command, *self.env.values()))


class Endpoint(Keys, frozen=True, kw_only=True):
    """Where the model answers.

    Attributes
    ----------
    preset : str
        Which server it is, so which request fields and counters it has; `auto` asks it.
    api_key_env : str or None
        The *name* of the variable that holds the key.
    same_machine : `auto` or True
        True where the address is not ours, but a container or tunnel leads to the machine that the meters read.
    pid : int or None
        A server that is already running, for the meter that estimates by CPU time.
    """

    url: Text
    model: Text
    api: Literal["chat", "completions"] = "chat"
    preset: Literal["auto"] | PresetName = "auto"
    api_key_env: Text | None = None
    same_machine: Literal["auto"] | bool = "auto"
    pid: Pid | None = None

    def __post_init__(self) -> None:
        _require_url(self.url)
        if self.same_machine is False:
            raise ValueError("same_machine must be auto or true: nobody else's meters can be read")


def _require_url(text: str) -> None:
    if any(char.isspace() or not char.isprintable() for char in text):
        raise ValueError("url must not hold blanks or control characters")
    try:
        url = urlsplit(text.replace("{port}", "1"))
        host, _ = url.hostname, url.port
    except ValueError as error:
        raise ValueError(f"url is not a URL: {error}") from error
    if url.scheme not in {"http", "https"} or not host:
        raise ValueError("url must read http://HOST:PORT/v1 or https://HOST:PORT/v1")
    if "@" in url.netloc:
        raise ValueError("url must not hold a user or password: a key belongs into the variable of api_key_env")
    if url.query or url.fragment:
        raise ValueError("url must not hold a query or fragment: /chat/completions is appended to it")
