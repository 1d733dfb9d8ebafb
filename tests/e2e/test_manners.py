"""The command line where things are missing: a reader, room, a terminal's characters, a folder to write in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import a_benchmark, a_run, some_trials
from rig.forked import run_energygate

from energygate.baseline.schema import encode_run
from energygate.baseline.store import FolderStore

STEADY = (100.1, 99.8, 100.6, 100.2, 99.9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stored sessions, and four runs of which the last is worse."""
    folder = tmp_path_factory.mktemp("stored")
    for day, factor in enumerate((1.0, 1.001, 0.999, 1.3), start=1):
        run = a_run(a_benchmark(trials=some_trials([each * factor for each in STEADY])), day=day)
        FolderStore(folder / "baselines").add(run)
        (folder / f"{day}.json").write_bytes(encode_run(run))
    return folder


COMPARE = ("compare", "1.json", "2.json", "3.json", "4.json")


def run(folder, *arguments, stdout=subprocess.PIPE, **environ):
    """Run it to its end; give exit code and both streams."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENERGYGATE_")}
    done = subprocess.run(
        [sys.executable, "-m", "energygate", *arguments],
        cwd=folder,
        env=kept | environ,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(COMPARE, 1), (("baseline", "list"), 0), (("schema", "report"), 0), ((), 2)],
    ids=lambda value: " ".join(value)[:13] if isinstance(value, tuple) else str(value),
)
def test_a_reader_that_goes_early_changes_no_exit_code_and_sees_no_traceback(folder, arguments, code):
    reader, writer = os.pipe()
    os.close(reader)
    assert run(folder, *arguments, stdout=writer) == (code, None, "")
    os.close(writer)


def test_a_full_disk_behind_stdout_is_one_sentence_and_never_another_verdict(folder):
    sentence = "error: The results cannot be written: No space left on device. Make room where stdout leads.\n"
    with Path("/dev/full").open("wb") as full:
        assert run(folder, *COMPARE, stdout=full) == (1, None, sentence)
        assert run(folder, "schema", "run", stdout=full) == (2, None, sentence)


def test_a_terminal_that_speaks_ascii_gets_ascii(folder):
    code, out, err = run(folder, *COMPARE, PYTHONIOENCODING="ascii")
    assert (code, err) == (1, "")
    assert out.decode("ascii").splitlines()[-1].startswith("energy: FAILED")


def test_streams_that_are_closed_take_no_file_s_place(folder):
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m energygate {' '.join(COMPARE)} --report json:r.json <&- >&- 2>&-"],
        cwd=folder,
        check=False,
    )
    assert done.returncode == 1
    assert (folder / "r.json").read_bytes().startswith(b"{")


def test_in_a_folder_that_cannot_be_written_results_are_shown_all_the_same(folder):
    files = [str(folder / name) for name in COMPARE[1:]]
    code, out, err = run("/proc/self/fdinfo", "compare", *files)  # not even root can write there
    assert (code, err) == (1, "")
    assert out.decode().splitlines()[-1].startswith("energy: FAILED")


def test_in_a_folder_that_cannot_be_written_a_run_is_measured_and_only_its_record_is_lost_and_says_so(tmp_path):
    windows = [json.dumps({"energy_j": {"package-0": 100.0 + n}, "duration_s": 2.0}) for n in range(5)]
    (tmp_path / "windows.jsonl").write_text("\n".join(windows))
    suites = [{"name": "true", "kind": "command", "command": ["true"], "trials": {"count": 5}}]
    (tmp_path / "a.energy.yml").write_text(json.dumps({"version": 1, "suites": suites}))
    words = ("run", str(tmp_path / "a.energy.yml"), f"--meters=replay:{tmp_path}/windows.jsonl")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ENERGYGATE_")}
    code, out, err = run_energygate(*words, "--mode=measure", cwd="/proc/self/fdinfo", env=environ)
    assert (code, out.splitlines()[-1]) == (0, "energy: MEASURED, nothing was judged")
    assert "error" not in err
    saved = tmp_path / "run.json"
    words = (*words, "--mode=record", f"--save={saved}")
    code, _, err = run_energygate(*words, cwd="/proc/self/fdinfo", env=environ)
    assert (code, len(json.loads(saved.read_text())["benchmarks"][0]["trials"])) == (2, 5)
    assert err.splitlines()[-1].startswith("error: Cannot write /proc/")
    assert err.endswith(f"`energygate baseline record {saved}` records what was saved.\n")
