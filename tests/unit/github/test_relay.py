import contextlib
import dataclasses
import io
import stat
import struct
import zipfile

import pytest
from fakes_github import FORK_ID, zipped
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from energygate.errors import RelayRefused
from energygate.github.event import Relayed, Source
from energygate.github.relay import MOST_REPORT_BYTES, MOST_ZIP_BYTES, Notice, pull_of, relayed_report, report_in

HEAD = "f5410108c2ab9d1e0c0ffee0c0ffee0c0ffee000"
NEWER = "0c0ffee0c0ffee000f5410108c2ab9d1e0c0ffee"
NAME = "energygate-default"
RUN = Relayed(
    run_id=77,
    event="pull_request",
    head_sha=HEAD,
    head_branch="topic",
    source=Source(id=2, owner="outsider"),
)


class Shelf:
    """A GitHub with artefacts and pull requests, which can be read and nothing else."""

    def __init__(self, *, artefacts=(), zips=None, pulls=()):
        self._artefacts = list(artefacts)
        self._zips = zips or {}
        self._pulls = list(pulls)
        self.asked = []

    def artifacts(self, run_id, name):
        self.asked.append(("artifacts", run_id, name))
        return self._artefacts

    def artifact_zip(self, artifact_id, most_bytes):
        self.asked.append(("zip", artifact_id, most_bytes))
        return self._zips[artifact_id]

    def open_pulls(self, owner, branch):
        self.asked.append(("pulls", owner, branch))
        return self._pulls


def an_artefact(**facts):
    of_run = {"id": 77, "head_sha": HEAD}
    return {"id": 5, "name": NAME, "size_in_bytes": 900, "expired": False, "workflow_run": of_run} | facts


def a_pull(number=7, *, sha=HEAD, repository=2):
    return {"number": number, "head": {"sha": sha, "repo": repository and {"id": repository}}}


def an_entry(name="report.json", **facts):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    for fact, value in facts.items():
        setattr(entry, fact, value)
    return entry


def a_zip(*entries, content=b"{}"):
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for entry in entries:
            archive.writestr(entry, content)
    return buffer.getvalue()


def with_flag(data, flag):
    """The same zip with a flag set in its directory, which the writer never sets."""
    place = data.rindex(b"PK\x01\x02") + 8
    return data[:place] + struct.pack("<H", flag) + data[place + 2 :]


def refused(rule, found):
    return (
        f"What the fork's run left is refused: {found}. The rule: {rule}. Nothing of it is published. "
        "Read what that run executed before it is measured again (docs/github.md#forks)."
    )


# The pull request


def test_the_pull_request_is_that_of_the_run_s_branch_repository_and_commit():
    hub = Shelf(pulls=[a_pull(5, repository=3), a_pull(6, sha=NEWER), a_pull(7), a_pull(8, repository=None)])
    assert pull_of(hub, RUN) == 7
    assert hub.asked == [("pulls", "outsider", "topic")]


@pytest.mark.parametrize(
    ("pulls", "sentence"),
    [
        ([], "The pull request was closed meanwhile: nothing to comment on."),
        ([a_pull(repository=3)], "The pull request was closed meanwhile: nothing to comment on."),
        ([a_pull(repository=None)], "The pull request was closed meanwhile: nothing to comment on."),
        ([a_pull(sha=NEWER)], f"Superseded: the run measured {HEAD}, the pull request is at {NEWER}."),
        ([a_pull(7), a_pull(9)], "#7, #9 are open from one branch, and the run does not say which it measured."),
    ],
)
def test_without_one_pull_request_at_the_run_s_commit_there_is_a_notice(pulls, sentence):
    assert pull_of(Shelf(pulls=pulls), RUN) == Notice(sentence=sentence)


def test_of_a_fork_that_was_deleted_there_is_a_notice_and_nothing_is_asked():
    hub = Shelf(pulls=[a_pull()])
    said = "The repository of the pull request was deleted meanwhile: nothing to comment on."
    assert pull_of(hub, dataclasses.replace(RUN, source=None)) == Notice(sentence=said)
    assert hub.asked == []


@pytest.mark.parametrize("event", ["pull_request_target", "push", ""])
@pytest.mark.parametrize("ask", [pull_of, lambda hub, run: relayed_report(hub, run, NAME)])
def test_a_run_of_another_event_is_refused_before_anything_is_asked(event, ask):
    hub = Shelf(artefacts=[an_artefact()], pulls=[a_pull()])
    with pytest.raises(RelayRefused) as error:
        ask(hub, dataclasses.replace(RUN, event=event))
    assert str(error.value) == refused("only runs of the event pull_request are relayed", f"a run of the event {event}")
    assert hub.asked == []


# The artefact


def test_the_report_of_the_newest_attempt_comes_back_as_it_was_uploaded():
    zips = {5: a_zip(an_entry(), content=b'{"old": 1}'), 9: a_zip(an_entry(), content=b'{"new": 2}')}
    hub = Shelf(artefacts=[an_artefact(), an_artefact(id=9), an_artefact(id=12, name="energygate-other")], zips=zips)
    assert relayed_report(hub, RUN, NAME) == b'{"new": 2}'
    assert hub.asked == [("artifacts", 77, NAME), ("zip", 9, MOST_ZIP_BYTES)]


@pytest.mark.parametrize(
    ("artefacts", "sentence"),
    [
        ([], f"Run 77 left no artefact called {NAME}: nothing was measured."),
        ([an_artefact(name="else")], f"Run 77 left no artefact called {NAME}: nothing was measured."),
        ([an_artefact(), an_artefact(id=9, expired=True)], f"The artefact {NAME} of run 77 has expired."),
    ],
)
def test_where_there_is_no_report_any_more_there_is_a_notice_and_nothing_is_fetched(artefacts, sentence):
    hub = Shelf(artefacts=artefacts)
    assert relayed_report(hub, RUN, NAME) == Notice(sentence=sentence)
    assert hub.asked == [("artifacts", 77, NAME)]


OF_RUN = f"the artefact is of run 77 and commit {HEAD}"


@pytest.mark.parametrize(
    ("facts", "rule", "found"),
    [
        ({"workflow_run": {"id": 78, "head_sha": HEAD}}, OF_RUN, f"one of run 78 and commit {HEAD}"),
        ({"workflow_run": {"id": 77, "head_sha": NEWER}}, OF_RUN, f"one of run 77 and commit {NEWER}"),
        ({"workflow_run": None}, OF_RUN, "one of run None and commit None"),
        ({"size_in_bytes": 4_194_305}, "an artefact has at most 4194304 bytes", "4194305 bytes"),
    ],
)
def test_an_artefact_of_another_run_or_too_large_is_refused_before_it_is_fetched(facts, rule, found):
    hub = Shelf(artefacts=[an_artefact(**facts)])
    with pytest.raises(RelayRefused) as error:
        relayed_report(hub, RUN, NAME)
    assert str(error.value) == refused(rule, found)
    assert hub.asked == [("artifacts", 77, NAME)]


# The zip

FILE = "the zip's entry is a regular file"
CALLED = "the zip's entry is called report.json"
PLAIN = "the zip's entry is not encrypted"
ONE = "the zip has exactly one entry"
HOSTILE = {
    "none": (a_zip(), ONE, "0 entries"),
    "two": (a_zip(an_entry(), an_entry("more.json")), ONE, "2 entries"),
    "the report in a folder": (a_zip(an_entry("x/report.json")), CALLED, "an entry called x/report.json"),
    "another name": (a_zip(an_entry("Report.json")), CALLED, "an entry called Report.json"),
    "an absolute path": (a_zip(an_entry("/report.json")), CALLED, "an entry called /report.json"),
    "a path upwards": (a_zip(an_entry("../report.json")), CALLED, "an entry called ../report.json"),
    "a folder": (a_zip(an_entry("report.json/")), CALLED, "an entry called report.json/"),
    "a command in the name": (
        a_zip(an_entry("\n::error::x")),
        CALLED,
        r"an entry called \n::error::x",
    ),
    "a name that goes on after a NUL": (
        a_zip(an_entry("report.jsonXa.sh")).replace(b"report.jsonX", b"report.json\0"),
        CALLED,
        r"an entry called report.json\x00a.sh",
    ),
    "a symbolic link": (
        a_zip(an_entry(external_attr=(stat.S_IFLNK | 0o777) << 16), content=b"/etc/passwd"),
        FILE,
        "an entry with the attributes 0xa1ff0000",
    ),
    "a pipe": (a_zip(an_entry(external_attr=stat.S_IFIFO << 16)), FILE, "an entry with the attributes 0x10000000"),
    "a folder by its attributes": (a_zip(an_entry(external_attr=0x10)), FILE, "an entry with the attributes 0x10"),
    "encrypted": (with_flag(a_zip(an_entry()), 0x1), PLAIN, "an encrypted entry"),
    "strongly encrypted": (with_flag(a_zip(an_entry()), 0x40), PLAIN, "an encrypted entry"),
    "another compression": (
        a_zip(an_entry(compress_type=zipfile.ZIP_LZMA)),
        "the zip's entry is stored or deflated",
        "compression method 14",
    ),
    "17 MiB in 17 kB": (
        a_zip(an_entry(), content=b" " * (17 << 20)),
        "a report has at most 16777216 bytes",
        "more than that in its zip",
    ),
    "no zip": (b"<html>busy</html>", "an artefact is a whole zip", "BadZipFile: File is not a zip file"),
    "nothing": (b"", "an artefact is a whole zip", "BadZipFile: File is not a zip file"),
    "half a zip": (
        a_zip(an_entry())[:-30],
        "an artefact is a whole zip",
        "BadZipFile: File is not a zip file",
    ),
}


@pytest.mark.parametrize(("data", "rule", "found"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_zip_is_refused_by_the_rule_that_it_breaks(data, rule, found):
    with pytest.raises(RelayRefused) as error:
        report_in(data)
    assert str(error.value) == refused(rule, found)


def test_a_report_as_large_as_the_rule_allows_comes_through():
    assert len(report_in(a_zip(an_entry(), content=b" " * MOST_REPORT_BYTES))) == MOST_REPORT_BYTES


def test_an_entry_without_unix_attributes_is_a_file():
    assert report_in(a_zip(an_entry(external_attr=0))) == b"{}"


def test_a_header_that_claims_few_bytes_does_not_let_many_through():
    data = a_zip(an_entry(), content=b" " * (17 << 20))
    small = data.replace(struct.pack("<L", 17 << 20), struct.pack("<L", 100))
    with pytest.raises(RelayRefused) as error:
        report_in(small)
    assert str(error.value) == refused("an artefact is a whole zip", "BadZipFile: Bad CRC-32 for file 'report.json'")


WHOLE = a_zip(an_entry(), content=b'{"schema": "energygate.report/1"}' * 9)


@given(st.data())
@budget(deadline=None, max_examples=400)
def test_a_zip_with_any_bytes_changed_or_cut_off_is_refused_or_gives_a_small_report(data):
    mangled = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        mangled[data.draw(st.integers(0, len(WHOLE) - 1))] = data.draw(st.integers(0, 255))
    kept = data.draw(st.integers(0, len(WHOLE)) | st.just(len(WHOLE)))
    with contextlib.suppress(RelayRefused):
        assert len(report_in(bytes(mangled[:kept]))) <= MOST_REPORT_BYTES


# The same of a server


def test_report_and_pull_request_are_found_on_a_server_and_nothing_is_written_there(github, hub):
    github.pull(3, fork=True, head_ref="topic", head_sha=NEWER)
    github.pull(7, fork=True)
    github.artifact(77, NAME, zipped(**{"report.json": b"old"}))
    github.artifact(77, NAME, zipped(**{"report.json": b"new"}))
    github.artifact(78, NAME, zipped(**{"report.json": b"of another run"}))
    run = dataclasses.replace(RUN, source=Source(id=FORK_ID, owner="outsider"))
    assert (pull_of(hub, run), relayed_report(hub, run, NAME)) == (7, b"new")
    assert (github.writes, len(github.downloads)) == ([], 1)


def test_an_artefact_that_is_larger_than_the_server_says_is_refused(github, hub):
    github.artifact(77, NAME, b"\0" * (MOST_ZIP_BYTES + 1), size_in_bytes=10)
    with pytest.raises(RelayRefused) as error:
        relayed_report(hub, RUN, NAME)
    assert str(error.value) == refused(
        "an artefact has at most 4194304 bytes", "more than that, though GitHub says less"
    )
