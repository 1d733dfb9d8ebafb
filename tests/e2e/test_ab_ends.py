"""`energygate ab` ends as it should: at its deadline, where a child is killed, and after it was killed itself."""

import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fakes_git import SIX, STEADY, Project, Repository, is_running

WAIT = """\
import os, subprocess, sys
if not os.path.exists({started!r}):
    child = subprocess.Popen(["sleep", "600"])
    with open({started!r} + ".new", "w") as started:
        started.write(str(child.pid))
    os.rename({started!r} + ".new", {started!r})
    child.wait()
"""


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    lines = [json.dumps({"energy_j": {"package-0": joules}, "duration_s": 2.0}) for joules in STEADY for _ in range(2)]
    made.repository.write(".gitignore", "*.jsonl\n")
    made.repository.write("windows.jsonl", "\n".join(lines))
    made.repository.commit(bench_py="")
    return made


def ab(*command, options=()):
    return ("ab", "--base=HEAD", "--meters=replay:windows.jsonl", *SIX, *options, "--", *command)


def the_row(report):
    (row,) = report["comparisons"]
    return row


NO_TIME = "all the time of confirm.max_minutes was used up"


def test_a_first_run_that_never_ends_is_ended_at_the_deadline(project):
    code, report = project.report(*ab("sleep", "600", options=("--max-minutes=0.02", "--json")))
    assert (code, the_row(report)["outcome"]) == (5, "invalid")
    assert the_row(report)["reason"] == f"base: {NO_TIME} while the command still ran, so it was killed. Allow more."


def test_a_setup_that_never_ends_is_ended_at_the_deadline(project):
    code, out, err = project(*ab("true", options=("--max-minutes=0.02", "--setup=sleep 600")))
    assert (code, out) == (2, "")
    assert f"error: base: setup: {NO_TIME} while the command still ran, so it was killed. Allow more." in err


def test_a_setup_that_is_killed_is_named_and_leaves_nothing(project):
    setup = f"--setup={sys.executable} -c 'import os; os.kill(os.getpid(), 9)'"
    code, out, err = project(*ab("true", options=(setup,)))
    assert (code, out) == (2, "")
    assert "error: base: setup: the command was killed by signal 9. Its last lines: (none). " in err


def test_a_block_that_never_ends_is_ended_at_the_same_deadline(project):
    seen = project.folder.parent / "times"
    project.repository.commit(
        bench_py=f"import time\nopen({str(seen)!r}, 'a').write('x')\n"
        f"if len(open({str(seen)!r}).read()) > 4: time.sleep(600)\n"
    )
    code, report = project.report(*ab(sys.executable, "bench.py", options=("--max-minutes=0.1", "--json")))
    assert code == 0
    assert the_row(report)["outcome"] == "inconclusive"
    assert the_row(report)["blocks"] < 6


@pytest.mark.parametrize("side", ["base", "head"])
def test_a_child_that_is_killed_in_its_first_run_makes_it_invalid_and_says_so(project, side):
    kill = f"import os\nif os.getcwd().endswith('/{side}'): os.kill(os.getpid(), 9)\n"
    project.repository.commit(bench_py=kill)
    code, report = project.report(*ab(sys.executable, "bench.py", options=("--json",)))
    assert (code, the_row(report)["outcome"]) == (5, "invalid")
    assert the_row(report)["reason"].startswith(f"{side}: the command was killed by signal 9.")


def test_children_that_are_killed_again_and_again_make_it_invalid(project):
    seen = project.folder.parent / "times"
    project.repository.commit(
        bench_py=f"import os\nopen({str(seen)!r}, 'a').write('x')\n"
        f"if len(open({str(seen)!r}).read()) > 2: os.kill(os.getpid(), 9)\n"
    )
    code, report = project.report(*ab(sys.executable, "bench.py", options=("--json",)))
    assert (code, the_row(report)["outcome"]) == (5, "invalid")
    assert "blocks are void. work_failed: the command was killed by signal 9." in the_row(report)["reason"]


def test_what_was_measured_is_written_before_the_sides_are_removed(project):
    """So a signal to the whole group while they are being removed loses nothing."""
    pipe, saved = project.folder.parent / "report", project.folder.parent / "run.json"
    os.mkfifo(pipe)
    options = (f"--save={saved}", f"--report=json:{pipe}")
    with project.start(*ab(sys.executable, "bench.py", options=options), start_new_session=True) as process:
        report = json.loads(pipe.read_text())
        assert (the_row(report)["outcome"], the_row(report)["blocks"]) == ("pass", 6)
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate()
    assert "error" not in err
    assert len(json.loads(saved.read_text())["benchmarks"][0]["trials"]) == 6
    assert project.left() == []
    assert project.repository.git("worktree", "list").count("\n") == 1


def test_a_temporary_folder_that_takes_no_more_is_an_error_by_name(project):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))

    with project.start(*ab(sys.executable, "bench.py"), preexec_fn=small_files) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert project.left() == []
    assert "error: The working tree cannot be copied: File too large (" in err


def test_submodules_are_named_as_empty_until_a_setup_has_fetched_them(project):
    lib = Repository(project.folder.parent / "lib")
    lib.commit(a_py="")
    allowed = ("-c", "protocol.file.allow=always")
    project.repository.git(*allowed, "submodule", "--quiet", "add", str(lib.folder), "lib")
    project.repository.commit(bench_py="")
    note = (
        "submodules are empty on both sides, fetch them with --setup 'git submodule update --init' (confirm.setup): lib"
    )
    _, report = project.report(*ab(sys.executable, "bench.py", options=("--json",)))
    assert note in report["warnings"]
    setup = f"--setup=git {' '.join(allowed)} submodule --quiet update --init"
    _, report = project.report(*ab(sys.executable, "bench.py", options=("--json", setup)))
    assert not any("submodules" in warning for warning in report["warnings"])


@pytest.mark.parametrize("option", ["--save=/", "--save=.", "--report=json:/"])
def test_a_folder_is_no_file_to_write(project, option):
    code, out, err = project(*ab(sys.executable, "bench.py", options=(option,)))
    path = option.rpartition(":" if ":" in option else "=")[2]
    shown = project.folder if path == "." else path
    fix = "Give the path of a file in a folder that this user may write."
    assert (code, out, err) == (2, "", f"error: Cannot write {shown}. {fix}\n")


SETUP = f"--setup={sys.executable} bench.py"


def interrupted_in_its_first_command(project, number, *options):
    """Start it, and send it a signal when the first command of a side has a child; give the process and that child."""
    started = project.folder.parent / "started"
    project.repository.commit(bench_py=WAIT.format(started=str(started)))
    process = project.start(*ab(sys.executable, "bench.py", options=options))
    while not started.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate()
    assert out == "", err
    return process, int(started.read_text())


@pytest.mark.parametrize(
    ("number", "options"),
    [
        pytest.param(signal.SIGHUP, [], id="SIGHUP in the first run"),
        pytest.param(signal.SIGINT, [SETUP], id="SIGINT in the setup"),
        pytest.param(signal.SIGTERM, [SETUP], id="SIGTERM in the setup"),
    ],
)
def test_a_signal_ends_it_with_what_its_command_has_started(project, number, options):
    process, child = interrupted_in_its_first_command(project, number, *options)
    assert process.returncode == 128 + number
    assert (project.left(), is_running(child)) == ([], False)
    assert project.repository.git("worktree", "list").count("\n") == 1


def test_a_signal_while_an_environment_is_made_leaves_nothing_of_it(project):
    process = project.start(*ab("true", options=("--venv", "--setup=true")))
    while not (making := named_below(project.temporary, "base-env")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (process.returncode, out) == (128 + signal.SIGTERM, ""), err
    assert (project.left(), [pid for pid in making if is_running(pid)]) == ([], [])
    assert named_below(project.temporary, "base-env") == []
    assert project.repository.git("worktree", "list").count("\n") == 1


def named_below(folder, name):
    """Every process whose command names something so called below that folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else ()
            if any(word.startswith(os.fsencode(folder)) and os.fsencode(name) in word for word in words):
                found.append(entry.name)
    return found


@pytest.mark.parametrize("options", [[], [SETUP]], ids=["first run", "setup"])
def test_what_a_killed_run_left_running_is_ended_by_the_next_one_which_says_so(project, options):
    before = project.repository.git("branch", "--all")
    _, child = interrupted_in_its_first_command(project, signal.SIGKILL, *options)
    assert is_running(child)
    with project.start(*ab(sys.executable, "bench.py", options=("--json",))) as again:
        out, err = again.communicate()
    assert again.returncode == 0, err
    note = f"ended what a killed run had left running: process {child}"
    assert note in json.loads(out)["warnings"]
    assert not is_running(child)
    assert project.left() == []
    assert project.repository.git("worktree", "list").count("\n") == 1
    assert project.repository.git("branch", "--all") == before
