import datetime as dt
import re

import pytest
from fakes_github import HEAD_SHA

from energygate.github.event import Event, Pull
from energygate.github.inputs import PublishInputs
from energygate.publishing.publisher import Publisher
from energygate.publishing.told import Told
from energygate.report.annotations import annotations

NOW = dt.datetime(2026, 11, 22, 4, 0, tzinfo=dt.UTC)


class Job:
    """A job of the pull request 7 on the fake GitHub, and what it leaves where the runner looks."""

    def __init__(self, github, hub, folder):
        self.github = github
        self.hub = hub
        self.log = []
        self.summary_file = folder / "summary"
        self.output_file = folder / "output"
        self.facts = {
            "name": "pull_request",
            "action": "synchronize",
            "repository": github.repository,
            "ref": "refs/pull/7/merge",
            "commit": HEAD_SHA,
            "run_id": 123,
            "attempt": 1,
            "server_url": "https://github.com",
            "api_url": github.url,
            "pull": Pull(number=7, head_sha=HEAD_SHA, base_sha="b" * 40, is_foreign=False),
        }

    def event(self, **facts):
        """The event, but for these facts."""
        return Event(**self.facts | facts)

    def publisher(self, *, inputs=None, hub="own", **facts):
        """Give what publishes with these inputs; the other facts are of the event."""
        return Publisher(
            event=self.event(**facts),
            inputs=PublishInputs(**inputs or {}),
            hub=self.hub if hub == "own" else hub,
            environ={"GITHUB_STEP_SUMMARY": str(self.summary_file), "GITHUB_OUTPUT": str(self.output_file)},
            tell=self.log.append,
            now=lambda: NOW,
        )

    def publish(self, report, *, exit_code=None, never_fail=False, **how):
        """Publish a report, or that there is none of a job that left with `exit_code`."""
        if report is None:
            told = Told.of_nothing(exit_code=exit_code, never_fail=never_fail)
        else:
            code = report.exit_code if exit_code is None else exit_code
            told = Told.of(report, exit_code=code, never_fail=never_fail, notes=annotations(report))
        self.publisher(**how).publish(told)

    @property
    def summary(self):
        return self.summary_file.read_text() if self.summary_file.exists() else ""

    @property
    def outputs(self):
        text = self.output_file.read_text() if self.output_file.exists() else ""
        return {name: value for name, _, value in re.findall(r"(\S+)<<(EG_\w+)\n(.*?)\n\2\n", text, re.DOTALL)}

    def told(self, level):
        """The commands of a level in the job's log."""
        return [line for line in self.log if line.startswith(f"::{level} ")]


@pytest.fixture
def job(github, hub, tmp_path):
    github.pull(7)
    return Job(github, hub, tmp_path)
