"""The life of baselines on a branch of their own, as a shell sees it."""

import pytest
from fakes import NAME, STEADY_J, a_benchmark, a_run, some_trials
from fakes_git import ROOT
from fakes_stores import Remote
from rig.forked import run_energygate

from energygate.baseline.schema import encode_run


def session(day, factor=1.0):
    return a_run(a_benchmark(trials=some_trials([energy * factor for energy in STEADY_J])), day=day)


class Project:
    """A clone whose baselines are on a branch of its remote."""

    def __init__(self, folder):
        self.remote = Remote(folder)
        self.clone = self.remote.clone()
        self.clone.commit(energygate_yml="version: 1\nbaselines: git:energy-baselines\n")
        self.store = self.remote.store(self.clone)

    def __call__(self, *arguments):
        code, out, err = run_energygate(
            *arguments, cwd=self.clone.folder, env=self.clone.environ | {"PYTHONPATH": str(ROOT)}
        )
        assert "Traceback" not in err, err
        return code, out, err

    def saved(self, run):
        """Save a run beside the clone; give its file."""
        file = self.remote.folder / "run.json"
        file.write_bytes(encode_run(run))
        return file


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_a_saved_run_is_recorded_on_the_branch_and_the_checkout_stays_clean(project):
    code, out, err = project("baseline", "record", project.saved(session(1)))
    ((name),) = project.remote.files()
    assert (code, out, err) == (0, f"stored as git:energy-baselines/{name}\n", "")
    assert project.clone.git("status", "--porcelain") == ""
    assert project("baseline", "list")[1].startswith(f"0123456789ab  {session(1).run_id}  ")
    assert project("baseline", "show", "20261101", "--json")[1].encode() == encode_run(session(1))


def test_a_refused_push_leaves_with_2_and_names_the_file_that_is_kept(project):
    hook = project.remote.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    file = project.saved(session(1))
    code, out, err = project("baseline", "record", file)
    assert (code, out) == (2, "")
    assert "tried 6 times, the last time: ! " in err
    assert f" {file} is kept, and was not recorded. Give the job `contents: write`" in err
    assert file.read_bytes() == encode_run(session(1))


def test_what_is_accepted_holds_at_once_because_there_is_nothing_to_commit(project):
    for day in (1, 2, 3):
        project.store.add(session(day))
    words = ("baseline", "accept", NAME, "--reason", "larger", "--by", "alice", "--run", project.saved(session(9, 1.2)))
    code, out, _ = project(*words)
    assert code == 0
    assert out.splitlines()[-1].endswith(": it holds from now on, for every branch")
    assert out.splitlines()[-1].startswith("stored as git:energy-baselines/")


def test_runs_that_nothing_needs_are_removed_by_one_commit(project):
    for day in range(1, 6):
        project.store.add(session(day))
    code, out, err = project("baseline", "prune", "--keep", "3", "--yes")
    assert (code, err) == (0, "2 of 5 stored runs are not needed; removed 2\n")
    assert [line.split()[0] for line in out.splitlines()] == ["removed", "removed"]
    assert len(project.remote.files()) == 3
    assert project.remote.git("log", "-1", "--format=%s", "energy-baselines") == "Remove 2 runs\n"


@pytest.mark.parametrize("moved", [True, False])
def test_a_store_that_does_not_answer_is_4_and_a_new_one_is_empty(project, moved):
    if moved:
        project.remote.bare.rename(project.remote.folder / "elsewhere.git")
    code, out, err = project("baseline", "list")
    assert (code, out) == (4 if moved else 0, "")
    assert ("Unread baselines must not look like none" in err) == moved
    assert ("no run is stored in git:energy-baselines" in err) != moved
