"""A suite that calls a Python function."""

from typing import Annotated, Any

from msgspec import Meta, field

from energygate.workloads.suites.keys import Keys, Limits, Matrix, Name, SpanTokens, TrialOverrides, require_json


class PythonSuite(Keys, frozen=True, kw_only=True, tag_field="kind", tag="python"):
    """A Python function, called in energygate's own process and repeated until a trial is long enough.

    Attributes
    ----------
    callable : str
        ``module:function``; the suite file's folder is searched first.
    args : mapping
        Its keyword arguments. They may hold prompts, so no repr shows them.
    """

    name: Name
    callable: Annotated[
        str,
        Meta(
            pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$(?!\n)",
            description="module:function, such as myapp.bench:answer_all",
        ),
    ]
    args: dict[str, Any] = field(default_factory=dict)
    tokens: SpanTokens | None = None
    trials: TrialOverrides = TrialOverrides()
    limits: Limits = field(default_factory=dict)
    matrix: Matrix | None = None

    def __post_init__(self) -> None:
        require_json("args", self.args)  # they are part of what defines the work, and that is hashed

    def __repr__(self) -> str:
        return f"PythonSuite(name={self.name!r}, callable={self.callable!r})"
