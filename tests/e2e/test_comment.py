"""`energygate comment`, the action's publishing step: what it reads, what it leaves, and that it shows no token."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import NAME, a_benchmark, a_report, a_row, a_run, some_trials
from fakes_git import ROOT, Repository
from fakes_github import BASE_SHA, FORK_ID, HEAD_SHA, zipped
from fakes_github_http import Answer, Loopback
from fakes_stores import Remote
from msgspec.structs import replace

from energygate.baseline.schema import encode_run
from energygate.cli.comment import comment
from energygate.github.actions import git_credentials
from energygate.model import Head, Location, Outcome
from energygate.report.json import encode_report

OURS = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('energygate', None, '__main__')"
NEWER = "0123456789abcdef0123456789abcdef01234567"
MAIN = {"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}
OWN = {"full_name": "acme/widgets"}
PULL = {
    "action": "synchronize",
    "repository": {"default_branch": "main"},
    "pull_request": {"number": 7, "head": {"sha": HEAD_SHA, "repo": OWN}, "base": {"sha": BASE_SHA, "repo": OWN}},
}
RELAYED = {
    "workflow_run": {
        "id": 77,
        "run_attempt": 1,
        "event": "pull_request",
        "head_sha": HEAD_SHA,
        "head_branch": "topic",
        "head_repository": {"id": FORK_ID, "full_name": "outsider/widgets", "owner": {"login": "outsider"}},
    }
}
REGRESSED = a_report(
    a_row(outcome=Outcome.REGRESSED, ratio=1.2, location=Location(file="bench.py", line=7)),
    exit_code=1,
    verdict="failed",
)


class Step:
    """The step of a job in a clone whose remote is a bare repository, before the fake GitHub."""

    def __init__(self, github, folder):
        self.github = github
        self.remote = Remote(folder)
        self.clone = self.remote.clone()
        self.folder = self.clone.folder
        (runner := folder / "runner").mkdir()
        self.files = {name: runner / name for name in ("summary", "output", "event.json", "report.json", "run.json")}
        self.event(PULL)
        self.environ = {
            **self.clone.environ,
            "NO_PROXY": "127.0.0.1",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(self.files["event.json"]),
            "GITHUB_REPOSITORY": "acme/widgets",
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_SHA": "c" * 40,
            "GITHUB_RUN_ID": "123",
            "GITHUB_API_URL": github.url,
            "GITHUB_OUTPUT": str(self.files["output"]),
            "GITHUB_STEP_SUMMARY": str(self.files["summary"]),
            "ENERGYGATE_GITHUB_TOKEN": github.token,
        }

    def event(self, payload):
        self.files["event.json"].write_text(json.dumps(payload))

    def report(self, report=REGRESSED):
        """Lay a report there; give its path."""
        self.files["report.json"].write_bytes(encode_report(report))
        return self.files["report.json"]

    def run_file(self, run=None):
        """Lay a run there that can be a session; give its path."""
        run = run or a_run(a_benchmark(trials=some_trials()))
        self.files["run.json"].write_bytes(encode_run(run))
        return str(self.files["run.json"])

    def start(self, *arguments, program=OURS, **environ):
        """Run it as action.yml does, in a process of its own; `-I` leaves out PYTHONPATH, so this tree is named."""
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, "comment", *map(str, arguments)],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *arguments, **environ):
        """Run it in this process, to its end; give its exit code and what it printed."""
        whole = self.environ | environ
        with pytest.MonkeyPatch.context() as here:
            for name in set(os.environ) - set(whole):
                here.delenv(name)
            for name, value in whole.items():
                here.setenv(name, value)
            here.chdir(self.folder)
            done = CliRunner().invoke(comment, list(map(str, arguments)), catch_exceptions=False)
        return done.exit_code, done.output

    @property
    def summary(self):
        return self.files["summary"].read_text() if self.files["summary"].exists() else ""

    @property
    def outputs(self):
        text = self.files["output"].read_text() if self.files["output"].exists() else ""
        return {name: value for name, _, value in re.findall(r"(\S+)<<(EG_\w+)\n(.*?)\n\2\n", text, re.DOTALL)}

    def written(self):
        """All that anybody can read afterwards, but for the objects of git."""
        said = [*map(str, self.github.check_runs), *self.github.ours(7)]
        files = [each for each in self.remote.folder.rglob("*") if each.is_file() and "objects" not in each.parts]
        return "\n".join([*said, *(each.read_text(errors="replace") for each in files)])


@pytest.fixture
def step(github, tmp_path):
    github.pull(7)
    return Step(github, tmp_path)


def is_shown(token, text):
    """Whether a text has a token, or its form for git."""
    return token in text or base64.b64encode(f"x-access-token:{token}".encode()).decode() in text


def test_a_regression_in_a_folder_below_the_top_is_published_and_no_token_is_shown(step, github):
    report = step.report()
    (below := step.folder / "services" / "api").mkdir(parents=True)
    (below / "bench.py").touch()
    step.folder = below
    code, out, err = step.start(report, ENERGYGATE_EXIT_CODE="1")
    assert (code, out, err) == (0, "", "")
    (check,) = github.check_runs
    assert (check.conclusion, check.head_sha, check.annotations[0]["path"]) == (
        "failure",
        HEAD_SHA,
        "services/api/bench.py",
    )
    (posted,) = github.comments(7)
    assert step.outputs == {"comment-url": f"{github.url}/acme/widgets/pull/7#issuecomment-{posted.id}"}
    assert step.summary.startswith("## Energy: regressed. `bench.py::test_encode` uses 20.0 % more joules\n")
    assert not is_shown(github.token, step.written())


def test_an_empty_token_asks_nothing_and_annotates_by_commands(step, github):
    code, out = step(step.report(), ENERGYGATE_EXIT_CODE="1", ENERGYGATE_GITHUB_TOKEN="")
    assert (code, github.requests) == (0, [])
    assert out.startswith("::error file=bench.py,line=7,title=regressed%3A bench.py%3A%3Atest_encode +20.0 %25::")
    assert out.count("\n") == 1
    assert step.outputs == {"comment-url": ""}


def test_a_crash_is_70_and_no_verdict_and_publishes_nothing(step, github, tmp_path):
    (broken := tmp_path / "broken").mkdir()
    (broken / "github3.py").write_text("raise RuntimeError('broken release')\n")
    program = f"import sys; sys.path.insert(0, {str(broken)!r}); {OURS}"
    code, out, err = step.start(step.report(), program=program, ENERGYGATE_EXIT_CODE="0", CI="true")
    assert (code, out) == (70, "")
    assert "\nRuntimeError: broken release\nerror: energygate failed: RuntimeError. This is a defect of " in err
    assert (github.requests, step.summary, step.outputs) == ([], "", {})
    assert not is_shown(github.token, err)


def test_a_job_without_a_report_fails_its_check_run(step, github):
    assert step(ENERGYGATE_EXIT_CODE="5") == (0, "")
    assert [check.title for check in github.check_runs] == ["nothing valid was measured: the job leaves with 5"]


@pytest.mark.parametrize(("never_fail", "conclusion"), [("false", "failure"), ("true", "neutral")])
def test_the_code_that_the_job_leaves_with_decides_and_the_report_is_told_as_it_is(
    step, github, never_fail, conclusion
):
    step(step.report(a_report(a_row())), ENERGYGATE_EXIT_CODE="2", ENERGYGATE_NEVER_FAIL=never_fail)
    (check,) = github.check_runs
    assert (check.conclusion, check.title) == (conclusion, "the job leaves with 2; no regression found")


def test_a_workflow_of_ones_own_may_publish_a_report_without_the_measuring_step(step, github):
    assert step(step.report()) == (0, "")
    assert [check.conclusion for check in github.check_runs] == ["failure"]


def test_a_pull_request_that_was_closed_is_nothing_to_publish(step, github):
    step.event(PULL | {"action": "closed"})
    assert step(ENERGYGATE_EXIT_CODE="0") == (0, "")
    assert (github.requests, step.summary, step.outputs) == ([], "", {})


def test_on_a_laptop_there_is_nowhere_to_publish_and_the_error_says_what_to_do(step):
    code, out, err = step.start("report.json", GITHUB_EVENT_NAME="")
    assert (code, out) == (2, "")
    assert err == (
        "error: GITHUB_EVENT_NAME is not set, so there is nowhere to publish. GitHub Actions says with it what "
        "happened, and where. Elsewhere render a report: energygate report REPORT.json --report markdown:FILE.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        ([], {"ENERGYGATE_ID": "a -->"}, "input id: 'a -->': it may be: 1 to 64 of A-Z a-z 0-9 . _ - without --."),
        ([], {"ENERGYGATE_COMMENT": "yes"}, "input comment: 'yes': it may be: on-change, always, never."),
        ([], {"ENERGYGATE_NEVER_FAIL": "1"}, "input never-fail: '1': it may be: true, false."),
        ([], {"GITHUB_EVENT_NAME": "pull_request_target"}, "The event is pull_request_target, which is refused "),
        ([], {"ENERGYGATE_EXIT_CODE": "²"}, "ENERGYGATE_EXIT_CODE is no exit code. "),
        ([], {"ENERGYGATE_EXIT_CODE": "1" * 5000}, "ENERGYGATE_EXIT_CODE is no exit code. "),
        ([], {}, "There is no report to publish. Give one: energygate comment REPORT.json."),
        (["gone.json"], {}, "Cannot read gone.json: No such file or directory. Give a report that is there."),
        ([], MAIN, "There is no run to record. Name in ENERGYGATE_RUN_FILE what --save wrote; "),
        ([], MAIN | {"ENERGYGATE_RUN_FILE": "gone.json"}, "Cannot read gone.json: no such file. "),
        (["."], {"ENERGYGATE_GITHUB_TOKEN": "ghs_a\nb"}, "input github-token: a token has no blanks, "),
    ],
)
def test_what_is_wrong_is_2_and_nothing_is_published(step, github, arguments, environ, said):
    code, out = step(*arguments, **environ)
    assert code == 2
    assert out.startswith(f"::error title=energygate::{said}")
    assert out.count("\n") == 1
    assert (github.requests, step.summary, step.outputs) == ([], "", {})


def test_a_report_that_is_none_is_2(step, github):
    (broken := step.files["report.json"]).write_text("{")
    code, out = step(broken)
    assert (code, github.requests) == (2, [])
    assert out.startswith(f"::error title=energygate::{broken}: ")


def test_a_recorded_run_is_stored_on_the_branch_the_checkout_is_as_it_was_and_no_token_is_kept(step, github):
    before = step.clone.state()["files"]
    code, out, err = step.start(
        **MAIN,
        ENERGYGATE_EXIT_CODE="0",
        ENERGYGATE_RUN_FILE=step.run_file(),
        ENERGYGATE_BASELINES="git:energy-baselines",
    )
    (stored,) = step.remote.files()
    assert (code, out, err) == (0, f"stored as git:energy-baselines/{stored}\n", "")
    assert step.summary.startswith(
        f"## Energy: 1 benchmark measured\n\nAt [`cccccccccccc`](https://github.com/acme/widgets/commit/{'c' * 40}). "
        f"It is stored as `git:energy-baselines/{stored}`. Session 1 of the 3 that stored runs need to fail a change."
        "\n\n```text\n"
    )
    assert f"\nmeasured  {NAME}  " in step.summary
    assert step.clone.state()["files"] == before
    assert (github.requests, step.outputs) == ([], {})
    assert not is_shown(github.token, step.written())


def test_a_folder_is_left_to_a_commit_and_the_summary_says_how(step):
    run_file = step.run_file()
    code, out = step(**MAIN, ENERGYGATE_EXIT_CODE="0", ENERGYGATE_RUN_FILE=run_file)
    assert (code, out) == (0, f"not stored, since only a commit changes a folder: {run_file}\n")
    assert not (step.folder / "baselines").exists()
    assert (
        "It is not stored yet, since a folder is changed by commits alone: `energygate baseline record` puts the "
        "output `run-file` among the baselines, to be committed.\n"
    ) in step.summary


def test_what_is_no_session_is_one_warning_and_stands_in_the_summary(step):
    few = [a_benchmark(name=f"bench.py::test_{n}", trials=some_trials([1.0])) for n in range(2)]
    run_file = step.run_file(a_run(a_benchmark(trials=some_trials()), *few))
    code, out = step(**MAIN, ENERGYGATE_RUN_FILE=run_file, ENERGYGATE_BASELINES="git:energy-baselines")
    assert (code, len(step.remote.files())) == (0, 1)
    (warning,) = [line for line in out.splitlines() if line.startswith("::")]
    assert warning.startswith("::warning title=energygate::not recorded as a session: bench.py::test_0: ")
    assert warning.count("%0Anot recorded as a session: bench.py::test_1: ") == 1
    assert step.summary.count("> - `not recorded as a session: ") == 2


def test_a_push_that_is_refused_is_2_the_file_is_kept_and_named_and_no_token_is_shown(step, github):
    hook = step.remote.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nenv | sed -n 's/^GIT_CONFIG_VALUE_[0-9]*=//p' >&2\nexit 1\n")
    hook.chmod(0o755)
    run_file = step.run_file()
    code, out, err = step.start(**MAIN, ENERGYGATE_RUN_FILE=run_file, ENERGYGATE_BASELINES="git:energy-baselines")
    assert (code, err) == (2, "")
    assert out.startswith(
        "::error title=energygate::Cannot write to branch energy-baselines at origin: tried 6 times, "
    )
    assert f"{run_file} is kept, and was not recorded. Give the job `contents: write`" in out
    assert Path(run_file).is_file()
    assert "remote: ***" in out
    assert "**It is not stored.** `Cannot write to branch energy-baselines at origin: tried 6 times, " in step.summary
    assert not is_shown(github.token, out + step.written())


def test_a_run_of_uncommitted_changes_is_not_stored_and_the_summary_still_has_its_figures(step):
    run_file = step.run_file(a_run(a_benchmark(trials=some_trials()), dirty=True))
    code, out = step(**MAIN, ENERGYGATE_RUN_FILE=run_file, ENERGYGATE_BASELINES="git:energy-baselines")
    assert code == 2
    assert out.startswith("::error title=energygate::The working tree has uncommitted changes")
    assert "**It is not stored.** `The working tree has uncommitted changes" in step.summary
    assert f"\nmeasured  {NAME}  " in step.summary


def test_a_job_that_failed_stores_nothing_and_asks_for_no_permission(step, github):
    code, out = step(
        **MAIN,
        ENERGYGATE_EXIT_CODE="2",
        ENERGYGATE_RUN_FILE=step.run_file(),
        ENERGYGATE_BASELINES="git:energy-baselines",
    )
    assert (code, out, github.requests) == (0, "", [])
    assert step.summary.startswith("## Energy: nothing was recorded: the job leaves with 2\n\nNothing of ")
    assert step.remote.git("branch", "--list", "energy-baselines") == ""


def test_what_a_forks_run_left_is_relayed(step, github):
    github.pull(7, fork=True)
    step.event(RELAYED)
    report = replace(REGRESSED, head=Head(run_id="20261122T031500Z-1a2b3c4d5e", commit=HEAD_SHA))
    github.artifact(77, "energygate-default", zipped(**{"report.json": encode_report(report)}))
    assert step(GITHUB_EVENT_NAME="workflow_run", ENERGYGATE_EXIT_CODE="0") == (0, "")
    (posted,) = github.comments(7)
    assert "Measured by the pull request's own code" in posted.body
    assert step.outputs == {"comment-url": f"{github.url}/acme/widgets/pull/7#issuecomment-{posted.id}"}
    assert github.check_runs == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"state": "closed"}, "The pull request was closed meanwhile: nothing to comment on."),
        ({"head_sha": NEWER}, f"Superseded: the run measured {HEAD_SHA}, the pull request is at {NEWER}."),
        ({}, "The artefact energygate-default of run 77 has expired."),
    ],
)
def test_where_there_is_nothing_to_relay_any_more_the_job_passes_with_a_notice(step, github, state, said):
    github.pull(7, fork=True, **state)
    step.event(RELAYED)
    github.artifact(77, "energygate-default", b"", expired=True)
    code, out = step(GITHUB_EVENT_NAME="workflow_run", ENERGYGATE_EXIT_CODE="0")
    assert (code, out) == (0, f"::notice title=energygate::{said}\n")
    assert (github.writes, step.outputs) == ([], {"comment-url": ""})


def test_a_hostile_artefact_is_one_error_and_no_other_command(step, github):
    github.pull(7, fork=True)
    step.event(RELAYED)
    github.artifact(77, "energygate-default", zipped(**{"x\n::error::mine\n%0A::set-output name=a::b": b"{}"}))
    code, out = step(GITHUB_EVENT_NAME="workflow_run")
    assert (code, github.writes, step.outputs) == (2, [], {})
    assert out == (
        "::error title=energygate::What the fork's run left is refused: an entry called "
        "x\\n::error::mine\\n%250A::set-output name=a::b. The rule: the zip's entry is called report.json. Nothing of "
        "it is published. Read what that run executed before it is measured again (docs/github.md#forks).\n"
    )


def test_git_says_once_who_it_is_though_the_checkout_has_kept_another_header(tmp_path):
    said = []
    server = Loopback(lambda request: said.append(request.headers.get("authorization")) or Answer(404))
    try:
        clone = Repository(tmp_path / "clone")
        clone.git("config", f"http.{server.url}/.extraheader", "AUTHORIZATION: basic b2xk")
        asked = ["git", "ls-remote", f"{server.url}/acme/widgets"]
        environ = clone.environ | git_credentials(server.url, "ghs_test", environ=clone.environ) | {"NO_PROXY": "*"}
        subprocess.run(asked, cwd=clone.folder, env=environ, check=False, capture_output=True)
    finally:
        server.close()
    assert said[0] == f"basic {base64.b64encode(b'x-access-token:ghs_test').decode()}"
