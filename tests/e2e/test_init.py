"""`energygate init` as a newcomer types it, in a bare environment; linters and GitHub accept what it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WINDOWS = "\n".join(json.dumps({"energy_j": {"package-0": e}, "duration_s": 2.0}) for e in (100.1, 99.8, 100.6) * 4)
WORKFLOWS = (".github/workflows/energy.yml", ".github/workflows/energy-baseline.yml")


def start(folder, *arguments, program="energygate", **how):
    """Run a program of this environment to its end, with next to nothing in its own environment."""
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=folder,
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PATH": str(folder / "no programs")},
        capture_output=True,
        text=True,
        check=False,
        **how,
    )


@pytest.fixture
def project(tmp_path):
    """A Python project in a repository, whose model is served by vLLM."""
    (folder := tmp_path / "project").mkdir()
    (folder / ".git").mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "acme"\nversion = "1"\n')
    (folder / "Dockerfile").write_text("CMD vllm serve acme/tiny\n")
    return folder


def lint(tool, *arguments):
    """What a linter says, if anything is wrong."""
    binary = Path(sys.executable).with_name(tool)
    done = subprocess.run([binary, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def test_without_git_home_path_stdin_or_terminal_it_writes_what_linters_and_github_accept(project):
    done = start(project, "init", "--json", stdin=subprocess.DEVNULL, start_new_session=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {file["fate"] for file in json.loads(done.stdout)["files"]} == {"written"}
    workflows = [project / name for name in WORKFLOWS]
    quiet = ("-shellcheck=", "-pyflakes=")
    assert lint("actionlint", *quiet, "-config-file", ".github/actionlint.yaml", *workflows) == ""
    assert lint("zizmor", "--offline", "--persona", "pedantic", "--format", "plain", *workflows) == ""
    assert lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows) == ""


def test_the_second_command_gives_first_figures_and_a_second_init_changes_nothing(project):
    assert start(project, "init", "--quiet").stdout == "python -m pytest --energy benchmarks/test_energy.py\n"
    written = {path: path.read_bytes() for path in project.rglob("*.*") if path.is_file()}
    (project / "w.jsonl").write_text(WINDOWS)
    (project / ".git").rmdir()  # in a repository git must say what is measured
    short = ("--energy-meters=replay:w.jsonl", "--energy-trials=5", "--energy-warmup=0", "--energy-min-time=0.01")
    arguments = ("--energy", "benchmarks/test_energy.py", *short, "-p", "no:cacheprovider")
    measured = start(project, *arguments, program="pytest")
    assert "energy: INCONCLUSIVE, 1 benchmark: 1 no baseline" in measured.stdout
    assert measured.returncode == 0
    assert start(project, "init").stdout.count("\nkept ") == 5
    assert {path: path.read_bytes() for path in written} == written


def test_where_nothing_may_be_written_it_says_so_in_one_paragraph():
    done = start(Path("/proc/self/fdinfo"), "init")  # not even root can write there
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: Cannot write /proc/")
