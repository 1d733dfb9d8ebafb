"""`--energy-baselines`, and what is stored there."""

import subprocess

import pytest


def git(project, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=project.path, check=True, capture_output=True)


@pytest.fixture
def committed_project(project):
    project.write(".gitignore", "windows.jsonl\n")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "first")
    return project


def test_a_folder_of_another_name_is_recorded_to_and_compared_with(project):
    project.with_baselines()
    (project.path / "baselines").rename(project.path / "kept")
    result = project.energy("--energy-baselines=kept")
    assert project.verdict(result) == "energy: PASSED, 2 of 2 benchmarks within budget"
    project.energy("--energy-baselines=other", "--energy-mode=record")
    assert len(list(project.path.glob("other/*/*.json"))) == 1


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("git:energy-baselines", " is in no git working tree. A branch is kept in a repository. Work in a clone; "),
        ("git:a..b", "git allows no branch of that name. Give one, for example `baselines: git:energy-baselines`."),
        ("nowhere://runs", "Protocol not known: nowhere. Install what reads nowhere:// URLs: fsspec, and its package"),
    ],
)
def test_a_place_where_no_runs_can_be_is_refused(project, uri, fault):
    said = project.usage_error(project.energy(f"--energy-baselines={uri}"))
    assert said.startswith("baselines: ")
    assert fault in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a complete JSON document (Input data was truncated). The file was cut off or edited. Restore it"),
        ('{"schema": "energygate.run/2"}', "$.schema: energygate.run/2 was written by a newer energygate"),
    ],
)
def test_a_corrupt_baseline_is_named_before_anything_is_measured(project, text, message):
    project.with_baselines()
    newest = project.stored()[-1]
    project.write(newest, text)
    assert project.usage_error(project.energy()).startswith(f"{project.path / newest}: {message}")


def test_a_corrupt_baseline_does_not_keep_anybody_from_measuring(project):
    project.with_baselines()
    project.write(project.stored()[-1], "{")
    assert project.energy("--energy-mode=measure").ret == 0


def test_changes_that_are_not_committed_refuse_to_be_recorded_before_anything_is_measured(committed_project):
    committed_project.write("test_bench.py", "def test_encode(energy):\n    raise AssertionError('it ran')\n")
    assert committed_project.usage_error(committed_project.energy("--energy-mode=record")) == (
        "The working tree has uncommitted changes (test_bench.py), so this run would describe no commit. "
        "A baseline must be reproducible. "
        "Commit or stash them first. Untracked files and the baselines themselves don't count."
    )
    assert committed_project.stored() == []


def test_changes_that_are_not_committed_are_gated_with_a_warning(committed_project):
    committed_project.write("test_bench.py", "def test_encode(energy):\n    energy(int)\n\n")
    assert committed_project.section(committed_project.energy())[1] == (
        "warning: the working tree has uncommitted changes (test_bench.py): this report describes no commit"
    )


def test_a_clean_commit_is_recorded_again_and_again_under_its_name(committed_project):
    assert committed_project.energy("--energy-mode=record").ret == 0
    git(committed_project, "add", "baselines")
    git(committed_project, "commit", "-q", "-m", "baseline")
    (committed_project.path / committed_project.stored()[0]).write_text("changed, but a baseline")
    committed_project.session()
    assert committed_project.energy("--energy-mode=record", "--energy-save=run.json").ret == 0
    run = committed_project.json("run.json")
    assert (run["source"]["branch"], run["source"]["dirty"]) == ("main", False)
    assert any(run["source"]["commit"][:12] in path.name for path in committed_project.stored())


def test_another_kind_of_meter_is_not_compared_with(project):
    project.with_baselines()
    text = (project.path / "windows.jsonl").read_text().replace("package-0", "package-1")
    project.write("windows.jsonl", text)
    result = project.energy()
    assert result.ret == 0
    assert project.section(result)[3] == (
        "              it was recorded on a different machine or set-up (meters.replay.domains: package-0 "
        "\N{RIGHTWARDS ARROW} package-1). Record it on this one."
    )
    assert project.verdict(result) == "energy: INCONCLUSIVE, 2 benchmarks: 2 incomparable"
