"""What is asked. Structs that hold text under test keep it out of their `repr`."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, field

from energygate import units
from energygate.model import MOST_COUNTED
from energygate.workloads.suites.keys import Keys, MaxTokens, Text, require_json

WholeNumber = Annotated[int, Meta(ge=-MOST_COUNTED, le=MOST_COUNTED)]
PrefixCache = Literal["disabled", "warm", "any"]
_OWN_FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "prompt",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "seed",
        "n",
        "stream",
        "stream_options",
    }
)


class Message(Keys, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str

    def __post_init__(self) -> None:
        if not self.content:
            raise ValueError('"content" is empty')

    def __repr__(self) -> str:
        return f"Message(role={self.role!r})"


class Prompt(Keys, frozen=True, kw_only=True):
    """One request of a dataset: a conversation, or a prompt, which a chat gets as its only user message."""

    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    id: str | WholeNumber | None = None
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


class TextFile(Keys, frozen=True, kw_only=True):
    """A text that stands in a file of its own, relative to the suite file."""

    file: Text


class Requests(Keys, frozen=True, kw_only=True):
    """What is asked, and how much of it is answered.

    Attributes
    ----------
    system : str or TextFile or None
        It is under test, therefore no part of the workload's hash.
    fixed_output : bool or None
        Whether each answer has exactly `max_tokens` tokens; None where the server's preset decides.
    prefix_cache : str or None
        Whether answers may use what the server remembers of earlier prompts; None where the preset decides.
    extra_body : dict
        Fields of the server's own, merged into each request after the preset's.
    """

    max_tokens: MaxTokens
    dataset: Text | None = None
    prompts: Annotated[tuple[Annotated[str, Meta(min_length=1)] | Prompt, ...], Meta(min_length=1)] | None = None
    system: Text | TextFile | None = None
    fixed_output: bool | None = None
    prefix_cache: PrefixCache | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] = 0.0
    seed: WholeNumber = 7
    stream: Literal["auto"] | bool = "auto"
    output_tolerance: str = "2%"
    extra_body: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.prompts is None):
            raise ValueError("give either dataset or prompts")
        if units.parse_percent(self.output_tolerance) > 1:
            raise ValueError(f"output_tolerance must be at most 100%, got {self.output_tolerance}")
        if owned := sorted(_OWN_FIELDS & self.extra_body.keys()):
            raise ValueError(f"extra_body must not set {', '.join(owned)}: energygate sets and checks it itself")
        require_json("extra_body", self.extra_body)

    @property
    def tolerance(self) -> float:
        """`output_tolerance` as a fraction."""
        return units.parse_percent(self.output_tolerance)

    def __repr__(self) -> str:
        return f"Requests(dataset={self.dataset!r}, max_tokens={self.max_tokens})"
