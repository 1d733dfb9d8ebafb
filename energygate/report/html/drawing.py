"""The data in a page that its figures are drawn from: compact, for 500 benchmarks are in one file."""

from msgspec import Struct

Numbers = tuple[float | None, ...]


class Trials(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The trials of one side in their order: the n-th of each tuple is of the n-th trial.

    Attributes
    ----------
    work : mapping of a name to counts
        One count alone is that of all trials.
    throttled, invalid : mapping of a trial's position to a sentence
    """

    values: Numbers
    started_s: Numbers
    duration_s: Numbers
    energy_j: dict[str, Numbers]
    temperature_c: dict[str, Numbers] = {}
    work: dict[str, tuple[int | None, ...]] = {}
    blocks: tuple[int | None, ...] = ()
    throttled: dict[int, str] = {}
    invalid: dict[int, str] = {}


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stored session.

    Attributes
    ----------
    at : str
        Its day; empty where a report does not know it.
    change : str
        The change of level that begins with it, in words.
    accepted : tuple of str
        By whom and why.
    """

    value: float
    at: str = ""
    commit: str = ""
    values: Numbers = ()
    is_shifted: bool = False
    change: str = ""
    is_certain: bool = False
    accepted: tuple[str, ...] = ()


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A ratio of head to base, with the ends of its interval where it has one.

    Attributes
    ----------
    said : str
        The change in words, as every other format gives it.
    """

    name: str
    said: str
    ratio: float
    low: float | None = None
    high: float | None = None


class Drawn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that one benchmark's figures show, in the unit of its deciding metric.

    Attributes
    ----------
    unit : str
        In which its values are shown; `factor` of it are one of the metric's.
    label : str
        In capitals, what the numbers are where they are no measurement.
    base : Trials or None
        Measured in turns with the head.
    head_value : float or None
        The head's typical value, which stands last in the history.
    """

    unit: str
    factor: float = 1.0
    label: str = ""
    budget: float
    head: Trials | None = None
    base: Trials | None = None
    head_value: float | None = None
    base_value: float | None = None
    parts: tuple[Part, ...] = ()
    sessions: tuple[Session, ...] = ()
