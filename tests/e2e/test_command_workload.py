"""The command workload with real processes."""

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import msgspec
import pytest
import yaml

from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.model import Work
from energygate.workloads.build import workload
from energygate.workloads.leftovers import stop_leftovers
from energygate.workloads.suites import SuiteFile

EXAMPLE = Path(__file__).parents[2] / "examples" / "command" / "compress.energy.yml"
FIX = ". Correct command, setup or env."


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Build a command's workload; what it writes stays inside the test's folder."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    made = []

    def build(code, **keys):
        suite = {"name": "bench", "kind": "command", "command": ["{python}", "-c", code], **keys}
        file = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile, strict=True)
        environ = {**os.environ, "GITHUB_TOKEN": "t"}
        made.append(workload(file.suites[0], file=tmp_path / "a.energy.yml", prefix="a", environ=environ))
        return made[-1]

    yield build
    for one in made:
        one.close()


def trial(load):
    load.before()
    load.run(1)
    return load.after()


def test_the_example_counts_its_blocks_by_its_result_file():
    suite = msgspec.convert(yaml.safe_load(EXAMPLE.read_text()), SuiteFile, strict=True).suites[0]
    load = workload(suite, file=EXAMPLE, prefix=EXAMPLE.name)
    try:
        load.open()
        assert (load.name, trial(load).work) == ("compress.energy.yml::compress", Work(requests=120))
    finally:
        load.close()


def test_counts_come_from_output_constants_and_the_result_file_and_nothing_stays_behind(make, tmp_path):
    code = (
        "import os, pathlib; print(os.getcwd()); print('made 64 tokens'); assert 'GITHUB_TOKEN' not in os.environ;"
        "pathlib.Path(os.environ['RESULT']).write_text('{\"input_tokens\": 9}')"
    )
    rules = {"requests": 5, "output_tokens": {"regex": r"made (\d+) tokens"}}
    load = make(code, work=rules, env={"RESULT": "{result}"})
    load.open()
    assert trial(load).work == Work(requests=5, input_tokens=9, output_tokens=64)
    load.close()
    load.close()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_next_start_after_a_killed_energygate_ends_its_command_and_removes_what_that_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    daemon = "import os, time; os.fork() and os._exit(0); os.setsid(); print('an answer', flush=True); time.sleep(100)"
    script = textwrap.dedent(
        f"""
        import pathlib, sys
        from energygate.workloads.command import CommandWorkload
        from energygate.workloads.suites import CommandSuite
        suite = CommandSuite(name="bench", command=("{{python}}", "-c", {daemon!r}))
        load = CommandWorkload(suite, name="a::bench", folder=pathlib.Path())
        load.open()
        load.before()
        load.run(1)
        print(flush=True)
        sys.stdin.read()
        """
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ
    ) as run:
        assert run.stdout.readline() == b"\n"
        assert stop_leftovers() == ()
        run.kill()
    (said,) = stop_leftovers()
    assert re.fullmatch(r"bench: stopped what a killed energygate had left running: \d+ \(python\S*\)\.", said)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_output_is_named(make, tmp_path, monkeypatch):
    load = make("")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))  # Python has taken another folder instead
    with pytest.raises(WorkloadError) as failed:
        load.open()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert str(failed.value) == (
        f"bench: cannot write in {tmp_path}/nowhere: No such file or directory. "
        "Make room there, or let TMPDIR name a folder that this user may write."
    )


def test_a_result_of_the_trial_before_is_never_counted_again(make, tmp_path):
    code = (
        "import os, pathlib; once = pathlib.Path('once')\n"
        "if not once.exists():\n"
        "    once.touch(); pathlib.Path(os.environ['ENERGYGATE_RESULT']).write_text('{\"requests\": 3}')"
    )
    load = make(code)
    load.open()
    assert [trial(load).work, trial(load).work] == [Work(requests=3), Work()]


def test_a_folder_in_the_place_of_the_result_spoils_one_trial_only(make):
    code = (
        "import os, pathlib; once = pathlib.Path('once')\n"
        "if not once.exists():\n"
        "    once.touch(); (pathlib.Path(os.environ['ENERGYGATE_RESULT']) / 'sub').mkdir(parents=True)"
    )
    load = make(code, work={"requests": 5})
    load.open()
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    assert str(invalid.value) == "work_failed: the path of ENERGYGATE_RESULT is a folder or a device, not a file"
    assert trial(load).work == Work(requests=5)


def test_a_variable_that_no_process_can_have_fails_its_trial(make):
    load = make("", env={"A=B": "c"})
    load.open()
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    assert str(invalid.value) == f"work_failed: cannot start {sys.executable}: illegal environment variable name{FIX}"


def test_setup_runs_once_before_the_first_trial(make, tmp_path):
    append = "open('log', 'a').write('{}')"
    load = make(append.format("trial "), setup=[sys.executable, "-c", append.format("setup ")])
    load.open()
    trial(load)
    trial(load)
    assert (tmp_path / "log").read_text() == "setup trial trial "


def test_a_setup_that_fails_makes_the_benchmark_invalid(make):
    load = make("", setup=[sys.executable, "-c", "import sys; sys.exit('no compiler')"])
    with pytest.raises(WorkloadError) as failed:
        load.open()
    assert str(failed.value) == "bench: setup: the command exited with status 1. Its last lines: no compiler"


def test_a_failing_command_shows_its_status_and_last_lines(make):
    load = make("import sys; [print('line', n, file=sys.stderr) for n in range(30)]; sys.exit(3)")
    load.open()
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    lines = " | ".join(f"line {n}" for n in range(10, 30))
    assert str(invalid.value) == f"work_failed: the command exited with status 3. Its last lines: {lines}"


def test_a_command_that_is_not_there_fails_its_trial(make):
    load = make("", command=["./bench"])
    load.open()
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    assert str(invalid.value) == f"work_failed: cannot start ./bench: No such file or directory{FIX}"


def test_a_command_that_the_system_refuses_to_start_fails_its_trial(make):
    load = make("x" * 200_000)  # longer than one argument may be
    load.open()
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    assert str(invalid.value) == f"work_failed: cannot start {sys.executable}: Argument list too long{FIX}"


def test_a_timeout_kills_the_command_with_its_children(make, tmp_path):
    child = "import os, time; open('child', 'w').write(str(os.getpid())); time.sleep(100)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    load = make(code, timeout=1)
    load.open()
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    assert str(invalid.value) == f"work_failed: {sys.executable} still ran after 1 s (timeout), and was killed"
    stat = Path("/proc", (tmp_path / "child").read_text(), "stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_command_is_not_repeated_inside_one_trial(make):
    load = make("")
    load.open()
    with pytest.raises(ValueError, match=r"^a command is not repeatable, so one trial is one run, not 2$"):
        load.run(2)


VLLM_BENCH = {"completed": 4, "failed": 0, "total_input_tokens": 136, "total_output_tokens": 60, "duration": 1.5}


def bench(make, written):
    """A program that writes this to the path it is given as vllm bench serve is."""
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    command = ["{python}", "-c", code, "{result}", json.dumps(written)]
    load = make("", command=command, work={"preset": "vllm-bench"})
    load.open()
    return load


def test_the_file_of_vllm_bench_counts_its_requests_and_tokens(make):
    load = bench(make, VLLM_BENCH)
    assert trial(load).work == Work(requests=4, input_tokens=136, output_tokens=60)
    assert load.definition["work"] == {"preset": "vllm-bench"}


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (VLLM_BENCH | {"failed": 1}, "1 of vllm bench's requests failed"),
        (VLLM_BENCH | {"failed": False}, "False of vllm bench's requests failed"),
        (
            {"completed": 4, "failed": 0, "total_input_tokens": 9},
            "the file of {result} has no total_output_tokens, so it is none of vllm bench serve",
        ),
        (VLLM_BENCH | {"total_output_tokens": 0}, "work.output_tokens is 0, not a whole number from 1"),
        ([], "the file of {result} holds no JSON object"),
    ],
)
def test_another_file_in_its_place_is_refused_with_what_is_wrong(make, written, sentence):
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(bench(make, written))
    assert str(invalid.value) == f"work_failed: {sentence}"


def test_a_benchmark_that_writes_no_file_is_told_how(make):
    load = make("", work={"preset": "vllm-bench"})
    load.open()
    with pytest.raises(MeasurementInvalid) as invalid:
        trial(load)
    assert str(invalid.value) == (
        "work_failed: nothing was written to {result}; give vllm bench serve --save-result --result-filename {result}"
    )
