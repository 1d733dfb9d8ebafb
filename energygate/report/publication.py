"""Where a report is published: what its comment and its summary say and link besides."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One attempt of one run of a workflow, and what became of it.

    Attributes
    ----------
    repository_url, run_url : str
        Where commits and the run's summary are shown.
    attempt : int
        From 1.
    head : str
        The commit that the report is published for.
    seen : tuple of str
        Verdicts that were published on this commit before, oldest first.
    relayed : bool
        Whether the figures are those that a fork's own run reported.
    """

    repository_url: str
    run_url: str
    run_id: int
    attempt: int
    head: str
    seen: tuple[str, ...] = ()
    relayed: bool = False
