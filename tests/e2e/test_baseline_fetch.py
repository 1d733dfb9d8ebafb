"""`energygate baseline fetch`, the action's step that reads a private repository, and what the step behind it reads."""

import base64
import json
import os
import re
import subprocess

import pytest
from click.testing import CliRunner
from fakes import FINGERPRINT, a_benchmark, a_run
from fakes_git import STEADY, watched_git
from fakes_github_http import Answer, Loopback
from fakes_stores import Remote

from energygate.baseline.store import open_store
from energygate.cli.main import commands
from energygate.errors import ConfigError
from energygate.model import Baseline

RUN = a_run(a_benchmark())
TOKEN = "ghs_test"
SENT = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
OWN = {"full_name": "acme/widgets"}
SUITE = 'version: 1\nsuites:\n  - {name: one, kind: command, command: ["true"]}\n'


def private(folder):
    """Give what serves a bare repository to whoever has the token, as git's own server does."""

    def answer(request):
        if request.headers.get("authorization") != f"basic {SENT}":
            return Answer(401, headers={"WWW-Authenticate": "Basic"})
        path, _, query = request.target.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(folder.parent),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": request.method,
                "PATH_INFO": path.replace("acme/widgets", folder.name),
                "QUERY_STRING": query,
                "CONTENT_TYPE": request.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(request.body)),
                "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            },
            input=request.body,
            check=True,
            capture_output=True,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        sent = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return Answer(int(sent.pop("Status", "200").split()[0]), headers=sent, raw=body)

    return answer


class Job:
    """A job of a pull request, in a clone without credentials of a private repository."""

    def __init__(self, folder):
        self.remote = Remote(folder)
        self.clone = self.remote.clone()
        self.clone.write("a.energy.yml", SUITE)
        self.clone.commit(energygate_yml="version: 1\nbaselines: git:energy-baselines\n")
        self.server = Loopback(private(self.remote.bare))
        self.clone.git("remote", "set-url", "origin", f"{self.server.url}/acme/widgets")
        self.output, event = folder / "output", folder / "event.json"
        event.write_text(json.dumps(self.payload))
        self.environ = {
            **self.clone.environ,
            "NO_PROXY": "127.0.0.1",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_REPOSITORY": "acme/widgets",
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_SHA": "c" * 40,
            "GITHUB_RUN_ID": "1",
            "GITHUB_SERVER_URL": self.server.url,
        }

    @property
    def payload(self):
        sides = {name: {"sha": letter * 40, "repo": OWN} for name, letter in (("head", "a"), ("base", "b"))}
        return {
            "action": "opened",
            "repository": {"default_branch": "main"},
            "pull_request": {"number": 7, **sides},
        }

    def __call__(self, *arguments, **environ):
        """Run energygate in this process; give its exit code and what it printed."""
        whole = self.environ | environ
        with pytest.MonkeyPatch.context() as here:
            for name in set(os.environ) - set(whole):
                here.delenv(name)
            for name, value in whole.items():
                here.setenv(name, value)
            here.chdir(self.clone.folder)
            done = CliRunner().invoke(commands, arguments, catch_exceptions=False)
        return done.exit_code, done.output

    def fetch(self, **environ):
        return self("baseline", "fetch", **{"ENERGYGATE_GITHUB_TOKEN": TOKEN} | environ)

    def fetched(self):
        """What the next step is given."""
        (at,) = re.findall(r"^baselines-at<<(\w+)\n(.*)\n\1\n$", self.output.read_text())
        return at[1]


@pytest.fixture
def job(tmp_path):
    job = Job(tmp_path)
    yield job
    job.server.close()
    assert job.server.broken == []


def test_a_private_branch_is_fetched_with_the_token_and_read_later_without_it(job):
    job.remote.store().add(RUN)
    assert job.fetch() == (0, "")
    assert job.fetched() == f"git:energy-baselines@{job.remote.git('rev-parse', 'energy-baselines').strip()}"
    store = open_store("git:energy-baselines", folder=job.clone.folder, environ=job.clone.environ, at=job.fetched())
    assert store.load(FINGERPRINT) == Baseline(runs=(RUN,))
    kept = [path for path in (job.clone.folder / ".git").rglob("*") if path.is_file()]
    assert [path for path in kept if SENT.encode() in path.read_bytes() or TOKEN.encode() in path.read_bytes()] == []


def test_no_argument_of_git_shows_the_token(job, tmp_path):
    job.remote.store().add(RUN)
    path, told = watched_git(tmp_path)
    assert job.fetch(PATH=path) == (0, "")
    arguments = told.read_text()
    assert " fetch " in arguments
    assert (TOKEN in arguments, SENT in arguments) == (False, False)


@pytest.mark.parametrize("token", ["", "ghs_other"])
def test_without_a_token_that_may_read_it_the_step_ends_with_2_and_names_the_permission(job, token):
    code, out = job.fetch(ENERGYGATE_GITHUB_TOKEN=token)
    assert code == 2
    assert out.startswith(
        "::error title=energygate::Cannot read the baselines of branch energy-baselines at origin: fatal: "
    )
    assert out.endswith("A private repository needs credentials: in a workflow, `contents: read`.\n")
    assert not job.output.exists()
    assert "ghs_other" not in out


def test_a_branch_that_nobody_has_recorded_to_yet_is_no_baseline_and_no_mistake(job):
    assert job.fetch() == (0, "")
    assert job.fetched() == "git:energy-baselines@none"
    lines = (json.dumps({"energy_j": {"package-0": energy}, "duration_s": 2.0}) for energy in STEADY)
    job.clone.write("windows.jsonl", "\n".join(lines))
    run = ("run", "--meters=replay:windows.jsonl", "--trials=5", "--warmup=0", "--against=none", "a.energy.yml")
    code, out = job(*run, ENERGYGATE_BASELINES_AT=job.fetched())
    assert (code, out.splitlines()[-1]) == (0, "energy: INCONCLUSIVE, 1 benchmark: 1 no baseline")
    with pytest.raises(ConfigError) as refused:
        job(*run, ENERGYGATE_BASELINES_AT="refs/heads/main")
    said = "ENERGYGATE_BASELINES_AT: 'refs/heads/main': expected what `energygate baseline fetch` gives."
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("environ", "payload"),
    [
        ({"ENERGYGATE_BASELINES": "baselines"}, {}),
        ({}, {"action": "closed"}),
        ({"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}, {}),
    ],
)
def test_where_no_branch_is_to_be_compared_with_nothing_is_fetched(job, environ, payload):
    (job.output.parent / "event.json").write_text(json.dumps(job.payload | payload))
    job.clone.git("remote", "set-url", "origin", "/nowhere")
    assert job.fetch(**environ) == (0, "")
    assert job.output.read_text() == ""


def test_a_wrong_input_is_named(job):
    code, out = job.fetch(ENERGYGATE_BASELINES="git:a..b")
    assert (code, out.partition(": git")[0]) == (2, "::error title=energygate::baselines: 'git:a..b'")
