"""A suite of requests to a model server."""

from typing import Annotated, Literal

from msgspec import Meta, field

from energygate.workloads.suites.endpoint import Endpoint, ServerSpec
from energygate.workloads.suites.keys import Keys, Limits, Matrix, Name, PositiveSeconds, TrialOverrides
from energygate.workloads.suites.prompts import Requests


class Load(Keys, frozen=True, kw_only=True):
    """A closed loop: so many requests are in flight at any moment."""

    concurrency: Annotated[
        int, Meta(ge=1, le=4096, description="one number; several go into `matrix: {load.concurrency: [1, 8]}`")
    ] = 1


class Timeouts(Keys, frozen=True, kw_only=True):
    """Deadlines in seconds.

    Attributes
    ----------
    first_token, stall : float
        Of a streamed answer: from sending to its first token, and from each token to the next.
    request : float
        Of a whole answer.
    drain : float
        For the server to become idle between trials.
    """

    connect: PositiveSeconds = 5.0
    first_token: PositiveSeconds = 60.0
    stall: PositiveSeconds = 30.0
    request: PositiveSeconds = 300.0
    drain: PositiveSeconds = 60.0


class Tokens(Keys, frozen=True, kw_only=True):
    """Who counts the tokens: the `usage` of each answer, or the server's own counters before and after."""

    source: Literal["usage", "counters"] = "usage"


class InferenceSuite(Keys, frozen=True, kw_only=True, tag_field="kind", tag="inference"):
    """Requests to a model server that speaks OpenAI's chat or completions API."""

    name: Name
    endpoint: Endpoint
    requests: Requests
    server: ServerSpec | None = None
    load: Load = Load()
    timeouts: Timeouts = Timeouts()
    tokens: Tokens = Tokens()
    trials: TrialOverrides = TrialOverrides()
    limits: Limits = field(default_factory=dict)
    matrix: Matrix | None = None

    def __post_init__(self) -> None:
        if "{port}" in self.endpoint.url and self.server is None:
            raise ValueError("endpoint.url has {port}, which only a server that energygate starts can have")
        if self.server is not None and "{port}" in self.endpoint.url and not self.server.knows_port:
            raise ValueError(
                "endpoint.url has {port}, which neither server.command nor server.env hands to the server: add it there"
            )
        if self.server is not None and self.endpoint.pid is not None:
            raise ValueError("endpoint.pid is for a server that is already running, and `server` starts one")
        if self.trials.warmup == 0:
            raise ValueError("trials.warmup must be at least 1: a server's first pass is unlike those after it")
        if self.endpoint.api == "completions" and self.requests.system is not None:
            raise ValueError("requests.system needs endpoint.api: chat; completions knows prompts alone")
