"""`--energy-against`: what looks worse than its stored runs is measured again, beside its base."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ENCODE, DECODE = "test_bench.py::test_encode", "test_bench.py::test_decode"
AGAIN = "energy: what looks worse is measured again, in turn with HEAD ("


def git(project, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=project.path, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def against(project, monkeypatch):
    """The project in a repository with baselines that are not tracked; two stages, of six blocks."""
    monkeypatch.setenv("ENERGYGATE_MIN_BLOCKS", "6")
    monkeypatch.setenv("ENERGYGATE_MAX_BLOCKS", "6")
    project.write(".gitignore", "/baselines/\n__pycache__/\n.pytest_cache/\n*.json\n")
    project.with_baselines()
    git(project, "init", "-q", "-b", "main")
    return project


def commit(project):
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "a change")


def rows(project):
    return {row["benchmark"]: (row["outcome"], row["how"]) for row in project.json("report.json")["comparisons"]}


def test_a_suspect_fails_only_if_it_uses_more_than_its_base_whatever_energygate_that_holds(against):
    against.write("energygate/__init__.py", "raise ImportError('an energygate that is older')\n")
    against.session(test_encode=1.0, test_decode=1.3)
    commit(against)
    shutil.rmtree(against.path / "energygate")
    against.session(test_encode=1.3, test_decode=1.3)
    before = git(against, "status", "--porcelain")
    result = against.energy("--energy-against=HEAD", "--energy-report=json:report.json", "--energy-save=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert rows(against) == {ENCODE: ("regressed", "interleaved"), DECODE: ("pass", "interleaved")}
    assert against.json("report.json")["base"]["commit"] == git(against, "rev-parse", "HEAD").strip()
    assert against.verdict(result) == "energy: FAILED, 1 of 2 benchmarks regressed"
    assert any(line.startswith(AGAIN) for line in result.outlines)
    assert any(line.startswith("energy: block 6, the last") for line in result.errlines)
    trials = [benchmark["trials"] for benchmark in against.json("run.json")["benchmarks"]]
    assert [(len(each), each[0]["block"]) for each in trials] == [(6, None), (6, None)]
    assert (git(against, "status", "--porcelain"), git(against, "worktree", "list").count("\n")) == (before, 1)


def test_a_change_of_what_pytest_takes_its_options_from_stands_above_the_report(against):
    commit(against)
    against.write("pytest.ini", "[pytest]\naddopts = --energy-fail-on=invalid\n")
    git(against, "add", ".")
    against.energy("--energy-against=HEAD", "--energy-report=json:report.json")
    assert against.json("report.json")["warnings"][0] == (
        "policy: this change adds pytest.ini, from which pytest takes its root, where energygate.yml is looked for, "
        "and options such as --energy-fail-on"
    )


def test_where_nothing_looks_worse_nothing_is_measured_again(against):
    commit(against)
    result = against.energy("--energy-against=HEAD", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.OK
    assert rows(against) == {ENCODE: ("pass", "stored"), DECODE: ("pass", "stored")}
    assert not any("measured again, in turn" in line or "block" in line for line in result.errlines)


def test_a_base_that_was_not_measured_because_nothing_is_suspect_is_named_in_the_report(against):
    commit(against)
    against.write("other.py", "")
    commit(against)
    result = against.energy("--energy-against=HEAD~1", "--energy-report=json:report.json")
    base = git(against, "rev-parse", "HEAD~1")[:12]
    assert result.ret == pytest.ExitCode.OK
    report = against.json("report.json")
    assert report["notes"] == [f"nothing is suspect, so HEAD~1 ({base}) was not measured"]
    assert report["warnings"] == []


def notes_of(project, name):
    return next(row["notes"] for row in project.json("report.json")["comparisons"] if row["benchmark"] == name)


BODY = "def test_encode(energy):\n    energy(sum, [1, 2])\n\ndef test_decode(energy):\n    energy(sum, [3, 4])\n"


def test_what_the_base_does_not_have_is_judged_by_its_stored_runs_as_without_a_base(against):
    against.write("test_bench.py", "def test_other():\n    pass\n")
    commit(against)
    against.write("test_bench.py", BODY)
    against.session(test_encode=1.5)
    result = against.energy("--energy-against=HEAD", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert rows(against) == {ENCODE: ("regressed", "stored"), DECODE: ("pass", "stored")}
    commit_id = git(against, "rev-parse", "HEAD")[:12]
    assert f"judged by its stored runs alone: HEAD ({commit_id}) does not have it" in notes_of(against, ENCODE)


def test_what_git_ignores_has_no_second_side_and_is_judged_by_its_stored_runs(against):
    against.write(".gitignore", f"{(against.path / '.gitignore').read_text()}/test_bench.py\n")
    commit(against)
    against.session(test_encode=1.5)
    result = against.energy("--energy-against=HEAD", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert rows(against)[ENCODE] == ("regressed", "stored")
    assert notes_of(against, ENCODE)[-1] == (
        "judged by its stored runs alone: the copy of the working tree that is measured again does not have it. What "
        "git ignores is not copied: build it there with --setup (confirm.setup)"
    )


@pytest.mark.parametrize("crash", ["import generated", "import os; os._exit(0)"])
def test_a_suspect_whose_sides_both_crash_is_invalid_with_the_last_lines(against, monkeypatch, crash):
    against.write("generated.py", "")
    against.write(".gitignore", f"{(against.path / '.gitignore').read_text()}generated.py\n")
    if "exit" in crash:
        crash = f"import os\nif 'ENERGYGATE_ASSIGNMENT' in os.environ: {crash}"
    against.write("test_bench.py", f"{crash}\n{BODY}")
    commit(against)
    against.session(test_encode=1.5)
    result = against.energy("--energy-against=HEAD", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    report = against.json("report.json")
    assert (report["exit_code"], rows(against)[ENCODE]) == (5, ("invalid", "interleaved"))
    reason = next(row["reason"] for row in report["comparisons"] if row["benchmark"] == ENCODE)
    said = "No module named 'generated'" if "generated" in crash else "ended well, but without its measurement"
    assert reason.startswith("base: it was not measured: ")
    assert said in reason


def test_a_first_run_that_time_cuts_off_leaves_a_suspect_and_says_so(against, monkeypatch):
    monkeypatch.setenv("ENERGYGATE_MAX_MINUTES", "0.02")
    hold = "import os, time\nif 'ENERGYGATE_ASSIGNMENT' in os.environ: time.sleep(600)"
    against.write("test_bench.py", f"{hold}\n{BODY}")
    commit(against)
    against.session(test_encode=1.5)
    result = against.energy("--energy-against=HEAD", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.OK
    assert rows(against)[ENCODE] == ("suspect", "stored")
    assert notes_of(against, ENCODE)[-1] == (
        "not confirmed: it was not measured: all the time of confirm.max_minutes was used up while the command still "
        "ran, so it was killed. Allow more."
    )


def test_a_clean_tree_is_not_measured_beside_its_own_commit(against):
    against.session(test_encode=1.5)
    commit(against)
    result = against.energy("--energy-against=main", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert rows(against)[ENCODE] == ("regressed", "stored")
    commit_id = git(against, "rev-parse", "HEAD")[:12]
    assert (
        f"energy: confirm.against: main ({commit_id}) is the commit that is checked out, and no tracked file differs "
        "from it, so there is nothing to measure in turn with it: stored runs decide alone."
    ) in result.outlines


def test_baselines_that_were_just_recorded_do_not_make_a_second_side(against):
    against.write(".gitignore", "__pycache__/\n.pytest_cache/\n*.report\n")
    against.session(test_encode=1.5)
    commit(against)
    (first, *_) = sorted((against.path / "baselines").glob("*/*"))
    first.write_text(first.read_text() + "\n")
    assert against.energy("--energy-against=main").ret == pytest.ExitCode.TESTS_FAILED


def test_sessions_that_the_change_brings_are_not_its_own_standard(against):
    against.write(".gitignore", "__pycache__/\n.pytest_cache/\n*.json\n!/baselines/**\n")
    commit(against)
    base = git(against, "rev-parse", "HEAD").strip()
    against.session(test_encode=1.3)
    commit(against)
    for _ in range(3):
        against.energy("--energy-mode=record")
        commit(against)
    result = against.energy(f"--energy-against={base}", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert rows(against) == {ENCODE: ("regressed", "interleaved"), DECODE: ("pass", "stored")}
    (warning,) = against.json("report.json")["warnings"]
    assert " and 2 more: the base revision does not have it, so this change brings it" in warning


def test_an_unknown_revision_is_said_before_anything_runs(against):
    commit(against)
    result = against.energy("--energy-against=nowhere")
    assert against.usage_error(result).startswith("There is no commit nowhere here.")


@pytest.mark.parametrize("mode", ["measure", "record"])
def test_what_judges_nothing_has_nothing_to_measure_again(against, mode):
    commit(against)
    result = against.energy("--energy-against=HEAD", f"--energy-mode={mode}")
    assert against.usage_error(result) == (
        f"--energy-against asks for a second measurement, and mode {mode} judges none. Use mode gate."
    )


def test_without_energy_it_is_refused(project):
    result = project.run("--energy-against=HEAD")
    assert "--energy-against asks for a result, and without --energy nothing is measured. Add it." in (
        project.usage_error(result)
    )


def test_a_pull_request_in_a_clone_without_its_base_is_judged_by_stored_runs_and_says_why(against, monkeypatch):
    commit(against)
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    result = against.energy()
    assert result.ret == pytest.ExitCode.OK
    assert (
        "energy: confirm.against: auto: no merge base with origin/main in this clone, so suspects cannot be measured "
        "again. Fetch the history: fetch-depth: 0 for actions/checkout."
    ) in result.outlines


def test_a_pull_request_is_measured_again_beside_its_merge_base(against, monkeypatch):
    commit(against)
    git(against, "update-ref", "refs/remotes/origin/main", "HEAD")
    commit_id = git(against, "rev-parse", "HEAD")[:12]
    git(against, "commit", "--allow-empty", "-q", "-m", "the pull request")
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    result = against.energy()
    expected = f"energy: what looks worse is measured again, in turn with origin/main ({commit_id})"
    assert expected in result.outlines


@pytest.mark.parametrize(
    ("which", "said"),
    [("suspects", "what looks worse"), ("unresolved", "what stored runs do not settle"), ("all", "everything")],
)
def test_what_is_measured_again_is_said_as_the_settings_have_it(against, which, said):
    against.write("energygate.yml", f"version: 1\nconfirm: {{which: {which}}}\n")
    commit(against)
    against.session(test_encode=1.1)
    commit(against)
    result = against.energy("--energy-against=HEAD~1", "-k", "nothing")
    expected = f"energy: {said} is measured again, in turn with HEAD~1 ("
    assert any(line.startswith(expected) for line in result.outlines)


def test_the_first_line_about_it_stands_below_the_dots_of_the_tests(against):
    against.session(test_encode=1.0, test_decode=1.3)
    commit(against)
    against.session(test_encode=1.3, test_decode=1.3)
    words = ("--energy", "--energy-meters=replay:windows.jsonl", "--energy-trials=6")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--energy-against=HEAD"],
        cwd=against.path,
        env=os.environ | {"ENERGYGATE_SETUP": "false"},  # what comes behind that line need not work
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    dots = next(at for at, line in enumerate(lines) if "[100%]" in line)
    assert lines[dots].endswith("[100%]")
    assert lines[dots + 1].startswith("energy: 2 benchmarks measured again, in turn with HEAD (")


STOP_THE_DRIVER = """\
import os, signal, time
if "ENERGYGATE_ASSIGNMENT" in os.environ:
    os.kill(int(os.environ["DRIVER"]), signal.SIGNAL)
    time.sleep(600)
os.environ["DRIVER"] = str(os.getpid())
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", pytest.ExitCode.INTERRUPTED), ("SIGTERM", 143)])
def test_a_signal_while_it_measures_again_judges_nothing_and_leaves_nothing(against, monkeypatch, name, code):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    against.write("conftest.py", STOP_THE_DRIVER.replace("SIGNAL", name))
    commit(against)
    against.session(test_encode=1.3)
    options = ("--energy", "--energy-meters=replay:windows.jsonl", "--energy-trials=6", "--energy-against=HEAD")
    result = against.run_alone(*options, "--energy-save=run.json")
    assert result.ret == code
    assert against.verdict(result) == (
        "energy: FAILED, the session was stopped, so nothing was judged and nothing was recorded"
    )
    assert len(against.json("run.json")["benchmarks"]) == 2
    assert git(against, "worktree", "list").count("\n") == 1
