"""What a fork's run left, fetched by the event of that run alone: its report's bytes, and whose pull request it is.

Nothing here believes the artefact: not its size, not its name, not a number in it. What its bytes say is for
`report.foreign` to judge (docs/github.md#forks).
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from energygate.errors import RelayRefused
from energygate.github.errors import ArtefactTooLarge
from energygate.github.event import Relayed, Source

# 500 benchmarks that count tokens, with 10 trials each and 10 sessions of as many: 0.7 MB packed, 3.7 MB unpacked.
MOST_ZIP_BYTES: Final = 4 << 20
MOST_REPORT_BYTES: Final = 16 << 20
_SMALL: Final = f"an artefact has at most {MOST_ZIP_BYTES} bytes"
_ENTRY: Final = "report.json"
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000  # the entry, strongly, and the directory's names
_DOS_DIRECTORY: Final = 0x10
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN: Final = (  # what zipfile raises over bytes that are no zip
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class ReadableHub(Protocol):
    """What the relay asks of a `Hub`. Nothing that writes: neither a check run nor a status can come of it."""

    def artifacts(self, run_id: int, name: str) -> list[dict[str, Any]]:
        """List the artefacts of a run that are called so."""

    def artifact_zip(self, artifact_id: int, most_bytes: int) -> bytes:
        """Fetch one. Raises ArtefactTooLarge beyond `most_bytes`."""

    def open_pulls(self, owner: str, branch: str) -> list[dict[str, Any]]:
        """List the open pull requests from that branch of that owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Why there is nothing to publish, though no rule is broken: the job leaves with 0."""

    sentence: str


def pull_of(hub: ReadableHub, relayed: Relayed) -> int | Notice:
    """Find the open pull request that the run was of, by its branch, its repository and its commit.

    The event names none for forks, and a number from the artefact is never used.

    Raises
    ------
    RelayRefused
        If it was no run of a pull request.
    """
    _require_pull_request(relayed)
    source = relayed.source
    if source is None:
        return Notice(sentence="The repository of the pull request was deleted meanwhile: nothing to comment on.")
    pulls = [pull for pull in hub.open_pulls(source.owner, relayed.head_branch) if _is_from(pull, source)]
    if not pulls:
        return Notice(sentence="The pull request was closed meanwhile: nothing to comment on.")
    numbers = [pull["number"] for pull in pulls if pull["head"]["sha"] == relayed.head_sha]
    match numbers:
        case []:
            newer = pulls[0]["head"]["sha"]
            return Notice(sentence=f"Superseded: the run measured {relayed.head_sha}, the pull request is at {newer}.")
        case [number]:
            return int(number)
        case _:
            named = ", ".join(f"#{number}" for number in numbers)
            return Notice(sentence=f"{named} are open from one branch, and the run does not say which it measured.")


def relayed_report(hub: ReadableHub, relayed: Relayed, artefact_name: str) -> bytes | Notice:
    """Fetch the bytes of the report that the run uploaded: of several attempts, the newest.

    Raises
    ------
    RelayRefused
        Naming the rule that the artefact breaks.
    """
    _require_pull_request(relayed)
    found = [each for each in hub.artifacts(relayed.run_id, artefact_name) if each["name"] == artefact_name]
    if not found:
        return Notice(sentence=f"Run {relayed.run_id} left no artefact called {artefact_name}: nothing was measured.")
    newest = max(found, key=lambda each: int(each["id"]))
    if newest["expired"]:
        return Notice(sentence=f"The artefact {artefact_name} of run {relayed.run_id} has expired.")
    _require_of_run(newest, relayed)
    if newest["size_in_bytes"] > MOST_ZIP_BYTES:
        raise RelayRefused(_SMALL, f"{newest['size_in_bytes']} bytes")
    try:
        data = hub.artifact_zip(int(newest["id"]), MOST_ZIP_BYTES)
    except ArtefactTooLarge as error:
        raise RelayRefused(_SMALL, "more than that, though GitHub says less") from error
    return report_in(data)


def report_in(data: bytes) -> bytes:
    """Take the report out of an artefact's zip, which is read from memory and never unpacked.

    Raises
    ------
    RelayRefused
        Naming the rule that the zip breaks.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _require_one_file(entries)
            with archive.open(entries[0]) as stream:
                report = stream.read(MOST_REPORT_BYTES + 1)  # sizes in the header lie
    except _BROKEN as error:
        raise RelayRefused("an artefact is a whole zip", f"{type(error).__name__}: {error}") from error
    if len(report) > MOST_REPORT_BYTES:
        raise RelayRefused(f"a report has at most {MOST_REPORT_BYTES} bytes", "more than that in its zip")
    return report


def _require_pull_request(relayed: Relayed) -> None:
    """Refuse runs of `pull_request_target` above all: there the head commit is the base's."""
    if relayed.event != "pull_request":
        raise RelayRefused("only runs of the event pull_request are relayed", f"a run of the event {relayed.event}")


def _is_from(pull: dict[str, Any], source: Source) -> bool:
    repository = pull["head"].get("repo")  # null where the fork was deleted
    return repository is not None and repository["id"] == source.id


def _require_of_run(artefact: dict[str, Any], relayed: Relayed) -> None:
    said = artefact.get("workflow_run") or {}
    found = (said.get("id"), said.get("head_sha"))
    if found != (relayed.run_id, relayed.head_sha):
        rule = f"the artefact is of run {relayed.run_id} and commit {relayed.head_sha}"
        raise RelayRefused(rule, f"one of run {found[0]} and commit {found[1]}")


def _require_one_file(entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) != 1:
        raise RelayRefused("the zip has exactly one entry", f"{len(entries)} entries")
    entry = entries[0]
    if entry.orig_filename != _ENTRY:  # before anything is cut off at a NUL
        raise RelayRefused(f"the zip's entry is called {_ENTRY}", f"an entry called {entry.orig_filename}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG} or entry.external_attr & _DOS_DIRECTORY:
        raise RelayRefused(
            "the zip's entry is a regular file", f"an entry with the attributes {entry.external_attr:#x}"
        )
    if entry.flag_bits & _ENCRYPTED:
        raise RelayRefused("the zip's entry is not encrypted", "an encrypted entry")
    if entry.compress_type not in _METHODS:
        raise RelayRefused("the zip's entry is stored or deflated", f"compression method {entry.compress_type}")
