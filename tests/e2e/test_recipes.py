"""What docs/baselines.md, record-folder.yml and nightly.yml do besides measuring, done on a bare machine."""

import os
import re
import subprocess
import sys

import pytest
import yaml
from fakes import NAME, a_benchmark, a_run, some_trials
from fakes_git import ROOT
from fakes_stores import Remote
from rig.loopback import LOOPBACK

from energygate.baseline.schema import encode_run
from energygate.baseline.store import FolderStore

ENERGYGATE = "energygate run --mode record"
PROGRAM = f'#!/bin/sh\nexec "{sys.executable}" -m energygate "$@"\n'


@pytest.fixture
def remote(tmp_path):
    return Remote(tmp_path)


def bare(folder, **more):
    """The environment of a runner on which nobody has told git who they are."""
    paths = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return paths | LOOPBACK | {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull} | more


def recipe():
    """The commands after the one that measures."""
    text = (ROOT / "docs" / "baselines.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    first, _, rest = block.partition("\n")
    assert first.startswith(ENERGYGATE)
    return rest


def step_of(workflow, name):
    """A step of an example that is a script: what it runs, and its variables that are no expression."""
    (job,) = yaml.safe_load((ROOT / "examples/workflows" / workflow).read_text())["jobs"].values()
    (step,) = [step for step in job["steps"] if step.get("name") == name]
    return step["run"], {name: value for name, value in step.get("env", {}).items() if "${{" not in value}


def stored(remote):
    return remote.git("ls-tree", "-r", "--name-only", "main", "baselines").split()


def test_two_jobs_that_commit_their_runs_to_main_at_once_lose_nothing(remote, tmp_path):
    clones = [remote.clone(), remote.clone()]
    for day, clone in enumerate(clones, start=1):
        FolderStore(clone.folder / "baselines").add(a_run(a_benchmark(), day=day))
    jobs = [
        subprocess.Popen(["bash", "-euc", recipe()], cwd=clone.folder, env=bare(tmp_path / "no home"))
        for clone in clones
    ]
    assert [job.wait() for job in jobs] == [0, 0]
    assert len(stored(remote)) == 2


@pytest.fixture
def runner(tmp_path):
    """A runner whose folder has energygate as the action installs it; call it to start a script of an example."""
    (program := tmp_path / "runner/energygate/bin/energygate").parent.mkdir(parents=True)
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "sleep").symlink_to("/bin/true")  # whoever is refused six times is not waited for

    def start(clone, workflow, name, **more):
        script, variables = step_of(workflow, name)
        told = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "TOKEN": "ghs_secret",
            "RUNNER_TEMP": str(tmp_path / "runner"),
            "GITHUB_REF_NAME": "main",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        }
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=clone.folder,
            env=bare(tmp_path / "no home", **variables, **told, **more),
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def committing(runner, tmp_path):
    """Start the step that commits a run."""

    def start(clone, run):
        (file := tmp_path / f"{run.run_id}.json").write_bytes(encode_run(run))
        more = {"RUN_FILE": str(file), "GITHUB_SHA": run.source.commit or ""}
        return runner(clone, "record-folder.yml", "Commit the run", **more)

    return start


def test_the_example_commits_the_runs_of_two_jobs_and_runs_no_hook_that_one_has_left(remote, committing, tmp_path):
    clones = [remote.clone(), remote.clone()]
    for clone in clones:
        (hook := clone.folder / ".git/hooks/pre-commit").write_text(f"#!/bin/sh\nenv > {tmp_path / 'seen'}\n")
        hook.chmod(0o755)
    runs = [a_run(a_benchmark(trials=some_trials()), day=day) for day in (1, 2)]
    jobs = [committing(clone, run) for clone, run in zip(clones, runs, strict=True)]
    said = "".join(job.communicate()[0] for job in jobs)
    assert [job.returncode for job in jobs] == [0, 0]
    assert [path in said for path in stored(remote)] == [True, True]
    assert (
        remote.git("log", "-2", "--format=%an %s", "main").splitlines()
        == [f"github-actions[bot] Baseline of {runs[0].source.commit[:12]}"] * 2
    )
    assert (tmp_path / "summary").read_text().count("Committed as ") == 2
    assert not (tmp_path / "seen").exists()
    assert "ghs_secret" not in "".join((clone.folder / ".git/config").read_text() for clone in clones)


def test_a_run_that_the_default_branch_does_not_take_fails_the_job(remote, committing):
    clone = remote.clone()
    (hook := remote.bare / "hooks/pre-receive").write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    job = committing(clone, a_run(a_benchmark(trials=some_trials())))
    assert job.communicate()[0].splitlines()[-1] == (
        "::error title=energy baseline::the run is not stored: main takes no push from this job"
    )
    assert job.returncode == 1


def test_the_nightly_example_looks_back_on_the_branch_that_its_jobs_record_to(remote, runner, tmp_path):
    for day in (1, 2, 3):
        remote.store().add(a_run(a_benchmark(trials=some_trials()), day=day))
    clone = remote.clone()
    clone.git("clone", "--quiet", "--branch=energy-baselines", str(remote.bare), "energy-baselines")
    job = runner(clone, "nightly.yml", "Look back")
    assert (job.communicate()[0], job.returncode) == ("", 0)
    assert (tmp_path / "summary").read_text().splitlines() == [
        "```text",
        f"{NAME} on epyc-7763-2s (0123456789ab)",
        "    ▁▁▁  3 sessions, the next run is compared with 3 of them (*)",
        *(f"    * 2026-11-0{day}  0123456789ab  100 J" for day in (1, 2, 3)),
        "```",
    ]
