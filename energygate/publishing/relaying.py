"""What the run of a fork reported, as a value to publish: nobody vouches for it (docs/github.md#forks)."""

from energygate.github.event import Relayed
from energygate.github.relay import Notice, ReadableHub, pull_of, relayed_report
from energygate.publishing.told import Told
from energygate.report.foreign import decode_foreign
from energygate.report.publication import Publication


def fetched(hub: ReadableHub, relayed: Relayed, report_id: str) -> tuple[int, bytes] | Notice:
    """Give the number of the pull request and the report's bytes, or why there is nothing to publish.

    Raises
    ------
    HubRefused, HubUnavailable
        As for all that is asked of GitHub.
    RelayRefused
        What the run left breaks a rule.
    """
    number = pull_of(hub, relayed)
    if isinstance(number, Notice):
        return number
    data = relayed_report(hub, relayed, f"energygate-{report_id}")
    return data if isinstance(data, Notice) else (number, data)


def told_of_relayed(data: bytes, relayed: Relayed) -> Told:
    """Tell of the report. Raises RelayRefused."""
    report = decode_foreign(data, relayed.head_sha)
    return Told.of(report, exit_code=report.exit_code, never_fail=False)


def publication_of_relayed(relayed: Relayed, repository_url: str) -> Publication:
    """Where it belongs: to the run that measured, and not to the one that publishes."""
    return Publication(
        repository_url=repository_url,
        run_url=f"{repository_url}/actions/runs/{relayed.run_id}",
        run_id=relayed.run_id,
        attempt=relayed.attempt,
        head=relayed.head_sha,
        relayed=True,
    )
