"""`energygate ab` as a shell starts it, in real repositories: verdicts, what it runs, and that it leaves nothing."""

import json
import os
import re
import signal
import sys
import time
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from fakes_git import ROOT, SIX, STEADY, Project, is_running

from energygate.measure.interleave import Side, balanced_orders

QUIET = "version: 1\nnoise: {foreign: 100%, pressure: 100%, steal: 100%}\n"
BENCH = """\
import json, os, sys
with open(os.environ["SEEN"], "a") as seen:
    told = {name: value for name, value in os.environ.items() if name.startswith("ENERGYGATE_")}
    print(json.dumps({"cwd": os.getcwd(), "arguments": sys.argv[1:], "told": told, "code": CODE}), file=seen)
"""


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.repository.write(".gitignore", "*.jsonl\n*.json\n")
    return made


@pytest.fixture
def bench(project):
    """Two commits of a bench that notes what it sees, and an uncommitted third state of it."""
    for code in (1, 2):
        project.repository.commit(bench_py=BENCH.replace("CODE", str(code)))
    project.repository.write("bench.py", BENCH.replace("CODE", "3"))
    return project


def windows(project, *, base=1.0, head=1.0, blocks=6, seed=7):
    """Record the windows of so many blocks in the order of that seed; give the options that play them."""
    lines = []
    for block, order in enumerate(islice(balanced_orders(Random(seed)), blocks)):
        for side in order:
            noise = STEADY[(block + (3 if side is Side.HEAD else 0)) % len(STEADY)]
            joules = noise * (head if side is Side.HEAD else base)
            lines.append(json.dumps({"energy_j": {"package-0": joules}, "duration_s": 2.0}))
    project.repository.write("windows.jsonl", "\n".join(lines))
    return "--meters=replay:windows.jsonl", *SIX


def ab(project, *options, base="HEAD"):
    return "ab", f"--base={base}", *options, "--", sys.executable, "bench.py"


@pytest.mark.parametrize(
    ("factor", "code", "outcome"), [(1.0, 0, "pass"), (1.25, 1, "regressed"), (0.8, 0, "improved")]
)
def test_a_command_is_judged_without_any_configuration(bench, factor, code, outcome):
    found, report = bench.report(*ab(bench, *windows(bench, head=factor), "--json"))
    (row,) = report["comparisons"]
    assert (found, row["outcome"], row["how"], row["blocks"]) == (code, outcome, "interleaved", 6)
    assert row["ratio_low"] < factor < row["ratio_high"]
    assert row["ratio_high"] - row["ratio_low"] < 0.02
    assert 1 < row["detectable"] < 1.10
    assert report["baseline"]["commits"] == [bench.repository.git("rev-parse", "HEAD").strip()]
    assert row["notes"][0] == "6 blocks measured; stopped because that is precise enough for its budget"


def test_each_side_runs_its_own_code_once_before_and_once_in_each_block(bench):
    bench(*ab(bench, *windows(bench), base="HEAD~1"))
    seen = bench.seen()
    sides = [Path(each["cwd"]).name for each in seen]
    drawn = [side for order in islice(balanced_orders(Random(7)), 6) for side in order]
    assert sides == ["base", "head", *drawn]
    assert {(Path(each["cwd"]).name, each["code"]) for each in seen} == {("base", 1), ("head", 3)}
    told = seen[0]["told"]
    assert {
        name: told[name]
        for name in told
        if name not in {"ENERGYGATE_SAVE", "ENERGYGATE_ASSIGNMENT", "ENERGYGATE_PROCESS"}
    } == {
        "ENERGYGATE_METERS": "replay:windows.jsonl",
        "ENERGYGATE_MODE": "measure",
        "ENERGYGATE_SYSFS": "/sys",
        "ENERGYGATE_TRIALS": "1",
        "ENERGYGATE_WARMUP": "0",
    }


def test_no_shell_reads_the_command(bench):
    words = ["$HOME", "a b", "; touch gone", "--base", "*"]
    bench("ab", "--base=HEAD", *windows(bench), "--", sys.executable, "bench.py", *words)
    assert all(each["arguments"] == words for each in bench.seen())


def test_a_word_of_the_command_need_not_be_text(bench):
    options = (*windows(bench), "--report=json:../report.json", "--save=../run.json")
    code, out, err = bench("ab", "--base=HEAD", *options, "--", sys.executable, "bench.py", os.fsdecode(b"caf\xe9"))
    assert (code, out.splitlines()[-1]) == (0, "energy: PASSED, 1 of 1 benchmark within budget"), err
    assert bench.seen()[0]["arguments"] == ["caf\udce9"]
    (row,) = json.loads((bench.folder.parent / "report.json").read_text())["comparisons"]
    assert row["benchmark"] == f"{sys.executable} bench.py 'caf '"


def test_a_repository_inside_whose_name_is_no_text_is_named(bench):
    nested = os.fsencode(bench.folder) + b"/caf\xe9"
    Path(os.fsdecode(nested)).mkdir()
    bench.repository.git("init", "--quiet", os.fsdecode(nested))
    Path(os.fsdecode(nested), "file").touch()
    code, report = bench.report(*ab(bench, *windows(bench), "--json"))
    assert code == 0
    assert any(
        warning.startswith("repositories inside the working tree are not copied: caf") for warning in report["warnings"]
    )


def test_a_command_runs_where_the_user_stands(bench):
    (bench.folder / "deep" / "er").mkdir(parents=True)
    options = windows(bench)
    meters = f"--meters=replay:{bench.folder}/windows.jsonl"
    command = ("ab", "--base=HEAD", meters, *options[1:], "--", sys.executable, f"{bench.folder}/bench.py")
    bench(*command, cwd=bench.folder / "deep" / "er")
    assert {Path(each["cwd"]).parts[-2:] for each in bench.seen()} == {("deep", "er")}
    assert {(Path(each["cwd"]).parts[-3], each["code"]) for each in bench.seen()} == {("base", 2), ("head", 3)}


def test_the_seed_is_in_the_saved_run_and_each_trial_has_its_block(bench):
    bench(*ab(bench, *windows(bench), "--save=../head.json"))
    run = json.loads((bench.folder.parent / "head.json").read_text())
    (benchmark,) = run["benchmarks"]
    assert [trial["block"] for trial in benchmark["trials"]] == [1, 2, 3, 4, 5, 6]
    assert run["source"]["dirty"] is True
    assert run["notes"] == ["interleaved: blocks in random order, five of every ten with either side first, seed 7"]


@pytest.mark.parametrize("factor", [1.0, 1.04, 1.25, 0.8])
def test_the_saved_runs_of_both_sides_give_the_verdict_again(bench, factor):
    found, report = bench.report(*ab(bench, *windows(bench, head=factor), "--save=../run.json", "--json"))
    assert bench.report("compare", "../run.base.json", "../run.json", "--json") == (found, report)
    assert report["comparisons"][0]["blocks"] == 6


def test_one_commit_beside_itself_is_what_the_self_test_takes(bench):
    options = windows(bench)
    bench.repository.commit()
    bench(*ab(bench, *options, "--save=../run.json"))
    code, out, err = bench("aa", "--blocks", "../run.base.json", "../run.json")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].endswith(": 1 benchmark, one commit interleaved with itself")
    assert out.splitlines()[-1] == "    +10.0 % planted, 1 comparison: 100 % regressed"


def test_progress_goes_to_stderr_and_the_report_is_written_as_asked(bench):
    code, out, err = bench(*ab(bench, *windows(bench), "--report=json:../report.json"))
    assert code == 0
    assert out.splitlines()[-1] == "energy: PASSED, 1 of 1 benchmark within budget"
    lines = err.splitlines()
    assert lines[0] == "replay: package-0"
    assert lines[1:3] == ["base: a first run, which does not count", "head: a first run, which does not count"]
    assert [line.partition(",")[0] for line in lines[3:]] == [f"block {n} of 6" for n in range(1, 6)] + ["block 6"]
    assert json.loads((bench.folder.parent / "report.json").read_text())["exit_code"] == 0


@pytest.mark.parametrize("option", ["--report=json:", "--save="])
def test_a_file_that_cannot_be_written_is_said_beside_the_verdict_and_ends_with_2(bench, option):
    folder = bench.folder.parent / "gone"
    folder.mkdir()
    replaced = f"import os, pathlib\np = pathlib.Path({str(folder)!r})\nif p.is_dir(): p.rmdir(); p.touch()\n"
    bench.repository.write("bench.py", replaced)
    code, out, err = bench(*ab(bench, *windows(bench), f"{option}{folder}/it.json"))
    assert (code, out.splitlines()[-1]) == (2, "energy: PASSED, 1 of 1 benchmark within budget")
    name = "it.base.json" if "save" in option else "it.json"
    assert err.splitlines()[-1] == (
        f"error: Cannot write {folder}/{name}: File exists. Give another path, or make room and give this user write "
        "permission there."
    )


def test_blocks_of_two_interleavings_are_no_pairs(bench):
    options = windows(bench)
    bench.repository.commit()
    bench(*ab(bench, *options, "--save=../one.json"))
    bench(*ab(bench, *options, "--save=../two.json"))
    _, report = bench.report("compare", "../one.json", "../two.json", "--json")
    assert [(row["how"], row["blocks"], row["sessions"]) for row in report["comparisons"]] == [("stored", 0, 1)]
    code, _, err = bench("aa", "--blocks", "../one.json", "../two.json")
    assert code == 2
    assert err == (
        "error: ../one.json and ../two.json are not the two sides of one interleaving. Give the two runs of one "
        "`energygate ab --save`: run.base.json and run.json.\n"
    )
    code, _, err = bench("aa", "--blocks", "../one.json", "../one.json")
    assert (code, "is given twice. One run is one session, and no baseline for itself." in err) == (2, True)


def test_estimates_that_may_not_decide_are_refused_before_any_block(bench):
    code, out, err = bench("ab", "--base=HEAD", "--meters=estimate", *SIX, "--", sys.executable, "bench.py")
    assert (code, out) == (5, "")
    assert err.splitlines()[-1] == (
        "error: No block was measured: the readings are an estimate by model (estimate), not a measurement, and may "
        "not decide. Use a hardware counter (`energygate doctor` says what is missing and how to mend it), or let "
        "estimates decide: --allow-estimates, allow_estimates: true."
    )
    assert len(bench.seen()) == 2


def test_a_real_counter_finds_what_takes_twice_as_long(project, live_powercap):
    sleep = "import time\ntime.sleep({})\n"
    project.repository.commit(bench_py=sleep.format(0.2), energygate_yml=QUIET)
    project.repository.write("bench.py", sleep.format(0.5))
    root = live_powercap("one").root
    code, report = project.report(*ab(project, "--meters=rapl", f"--sysfs={root}", "--json", *SIX[:2]))
    (row,) = report["comparisons"]
    assert (code, row["outcome"], row["blocks"]) == (1, "regressed", 6)
    assert row["base"] > 0.2 * 50


def test_an_estimate_decides_where_it_may(project):
    spin = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n"
    project.repository.commit(bench_py=spin.format(1.02))
    project.repository.write("bench.py", spin.format(1.5))
    options = ("--meters=estimate", *SIX[:2], "--json", "--allow-estimates")
    code, report = project.report(*ab(project, *options))
    (row,) = report["comparisons"]
    assert (code, row["outcome"], row["label"]) == (1, "regressed", "estimate")


def test_a_command_too_short_for_the_counters_is_repeated_inside_a_trial(project, live_powercap):
    project.repository.commit(bench_py="", energygate_yml=QUIET)
    root = live_powercap("one").root
    _, _, err = project(*ab(project, "--meters=rapl", f"--sysfs={root}", "--save=../head.json", *SIX[:2]))
    # On a busy machine the first run may have been long enough: then what it lacks is found in a trial.
    foreseen = r"a trial is \d+ executions: one took [\d.]+ m?s, and package-0 needs 0\.100 s"
    learnt = r"from now on a trial is \d+ executions: 1 execution was too little time to measure"
    assert re.search(rf"\n({foreseen}|{learnt})\n", err)
    trials = json.loads((project.folder.parent / "head.json").read_text())["benchmarks"][0]["trials"]
    valid = [trial for trial in trials if trial["invalid"] is None]
    assert len(valid) >= 5
    assert all(trial["iterations"] > 1 for trial in valid[1:])
    assert all(trial["duration_s"] >= 0.08 for trial in valid)


def test_a_command_that_fails_on_one_side_is_invalid_with_its_last_lines(bench):
    bench.repository.write("bench.py", "import sys\nsys.exit('\\x1b[31mno \\x07compiler')\n")
    code, report = bench.report(*ab(bench, *windows(bench), "--json"))
    (row,) = report["comparisons"]
    assert (code, row["outcome"]) == (5, "invalid")
    assert row["reason"] == "head: the command exited with status 1. Its last lines: no compiler"


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("pyton3", "Correct its name, or give its path."),
        ("true --fast", "The whole command stands in one pair of quotes: remove them: -- true --fast"),
    ],
)
def test_a_program_that_is_not_there_is_refused_before_anything_is_made(bench, word, fix):
    code, out, err = bench("ab", "--base=HEAD", *windows(bench), "--", word)
    assert (code, out) == (2, "")
    assert err == (
        f"error: There is no program {word!r} on PATH. No shell reads the command: its first word is the program. "
        f"{fix}\n"
    )


def test_a_command_that_fails_on_both_sides_is_asked_after(bench):
    bench.repository.commit(bench_py="raise SystemExit('no compiler')\n")
    code, report = bench.report(*ab(bench, *windows(bench), "--json"))
    assert (code, report["comparisons"][0]["reason"]) == (
        5,
        (
            "base: it fails, and on the other side too: is the command right? The command exited with status 1. "
            "Its last lines: no compiler"
        ),
    )


def test_a_file_that_git_ignores_is_named_where_the_command_fails_without_it(bench):
    bench.repository.commit(bench_py="import os, sys\nsys.exit(not os.path.exists(sys.argv[1]))\n")
    bench.repository.write("data.json", "{}")
    code, report = bench.report(*ab(bench, *windows(bench), "--json"), "data.json")
    reason = report["comparisons"][0]["reason"]
    assert code == 5
    assert reason.startswith("base: git ignores data.json, so neither side has it. The command exited with status 1.")


def test_the_report_opens_with_what_was_compared(bench):
    commit = bench.repository.git("rev-parse", "--short=12", "HEAD").strip()
    code, out, _ = bench(*ab(bench, *windows(bench), base="main"))
    assert (code, out.splitlines()[0]) == (
        0,
        f"base main ({commit}), head working tree with uncommitted changes; 6 blocks; seed 7; budget 5 %",
    )


def test_fewer_blocks_at_most_than_at_least_says_what_to_add(bench):
    code, out, err = bench(*ab(bench, "--max-blocks=6"))
    assert (code, out, err) == (
        2,
        "",
        (
            "error: --max-blocks 6: fewer than the 10 blocks that are measured at least. "
            "Add --min-blocks 6 (confirm.min_blocks), or give 10 or more.\n"
        ),
    )


def test_an_environment_without_anything_to_install_asks_for_a_setup(bench):
    code, out, err = bench(*ab(bench, *windows(bench), "--venv"))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        "error: base: there is no pyproject.toml and no setup.py at its top, so nothing can be installed there. An "
        "environment of its own (confirm.venv) gets `pip install -e .` where no setup is given. Give --setup "
        "(confirm.setup): --setup 'pip install -r requirements.txt', for example."
    )


def test_a_child_that_is_killed_voids_its_block_which_is_measured_again(bench):
    times = bench.folder.parent / "times"
    kill = f"open({str(times)!r}, 'a').write('x')\nif len(open({str(times)!r}).read()) == 3: os.kill(os.getpid(), 9)\n"
    bench.repository.write("bench.py", BENCH.replace("CODE", "3") + kill)
    code, report = bench.report(*ab(bench, *windows(bench, blocks=7), "--json"))
    (row,) = report["comparisons"]
    assert (code, row["outcome"], row["blocks"]) == (0, "pass", 6)
    assert row["notes"][0] == (
        "6 blocks measured, 1 more void (head: work_failed: the command was killed by signal 9. "
        "Its last lines: (none)); stopped because that is precise enough for its budget"
    )


@pytest.mark.parametrize(
    ("number", "execution", "blocks"),
    [
        pytest.param(signal.SIGINT, 1, 0, id="SIGINT in the base's first run"),
        pytest.param(signal.SIGTERM, 2, 0, id="SIGTERM in the head's first run"),
        pytest.param(signal.SIGINT, 7, 2, id="SIGINT in a block"),
        pytest.param(signal.SIGTERM, 7, 2, id="SIGTERM in a block"),
    ],
)
def test_an_interrupt_leaves_nothing_behind_and_saves_what_is_complete(bench, number, execution, blocks):
    waiting = bench.folder.parent / "waiting"
    hold = (
        f"\nif len(open(os.environ['SEEN']).readlines()) == {execution}:\n"
        f"    import time; open({str(waiting)!r}, 'w').write(str(os.getpid())); time.sleep(600)\n"
    )
    bench.repository.commit(bench_py=BENCH.replace("CODE", "1") + hold)
    options = windows(bench)
    before = bench.repository.state()
    process = bench.start(*ab(bench, *options, "--save=head.json"))
    while not (waiting.exists() and waiting.read_text()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out) == (128 + number, ""), err
    assert not is_running(waiting.read_text())
    assert bench.left() == []
    both = [bench.folder / name for name in ("head.json", "head.base.json")]
    for saved in both if blocks else ():
        trials = json.loads(saved.read_text())["benchmarks"][0]["trials"]
        assert [trial["block"] for trial in trials] == list(range(1, blocks + 1))
        saved.unlink()
    assert not any(saved.exists() for saved in both)
    assert bench.repository.state() == before


def test_after_a_killed_run_the_next_one_cleans_up(bench):
    waiting = bench.folder.parent / "waiting"
    hold = (
        f"\nif not os.path.exists({str(waiting)!r}):\n    import time; open({str(waiting)!r}, 'w'); time.sleep(600)\n"
    )
    bench.repository.commit(bench_py=BENCH.replace("CODE", "1") + hold)
    options = windows(bench)
    process = bench.start(*ab(bench, *options))
    while not waiting.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert bench.left() != []
    before = bench.repository.git("branch", "--all")
    with bench.start(*ab(bench, *options)) as again:
        _, err = again.communicate()
    assert (again.returncode, bench.left()) == (0, []), err
    assert bench.repository.git("worktree", "list").count("\n") == 1
    assert bench.repository.git("branch", "--all") == before


def test_setup_runs_once_on_each_side_and_a_failure_ends_it_with_its_last_lines(bench):
    touch = f"{sys.executable} -c 'import pathlib; pathlib.Path(\"built\").touch()'"
    bench.repository.write("bench.py", "import pathlib\nassert pathlib.Path('built').exists()\n")
    bench.repository.commit()
    code, _, err = bench(*ab(bench, *windows(bench), f"--setup={touch}"))
    assert code == 0, err
    fail = f"{sys.executable} -c 'import sys; sys.exit(\"no compiler\")'"
    code, out, err = bench(*ab(bench, *windows(bench), f"--setup={fail}"))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        "error: base: setup: the command exited with status 1. Its last lines: no compiler. What is not built "
        "cannot be measured. Correct confirm.setup (--setup), or mend what it builds."
    )


def test_an_installer_needs_environments_of_its_own(bench):
    code, _, err = bench(*ab(bench, *windows(bench), "--setup=pip install -e ."))
    assert code == 2
    assert err == (
        "error: confirm.setup: 'pip install -e .' would install into the environment that you work in. Both sides "
        "share it, so the second would replace the first, and point at a folder that goes. Give each side its own: "
        "confirm.venv: true (--venv). Python code is found without installing it: the top of each side, and src below "
        "it, come first.\n"
    )


def test_with_an_environment_of_its_own_each_side_finds_the_driver_and_what_it_needs(bench):
    note = "import sys, os, numpy, energygate\nopen(os.environ['SEEN'], 'a').write(sys.prefix + '\\n')\n"
    bench.repository.write("bench.py", note)
    bench.repository.commit()
    setup = "python -c 'import energygate, numpy'"
    code, _, err = bench("ab", "--base=HEAD", *windows(bench), "--venv", f"--setup={setup}", "--", "python", "bench.py")
    assert code == 0, err
    assert {Path(line).name for line in bench.seen_file.read_text().splitlines()} == {"base-env", "head-env"}


def test_code_below_src_is_found_on_each_side_without_installing_it(project, tmp_path):
    project.repository.write("src/pkg/__init__.py", "SIDE = 'base'\n")
    project.repository.commit(bench_py="import os, pkg\nopen(os.environ['SEEN'], 'a').write(pkg.SIDE + '\\n')\n")
    project.repository.write("src/pkg/__init__.py", "SIDE = 'head'\n")
    own = {**project.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{project.folder}/src"}
    code, _, err = project(*ab(project, *windows(project)), env=own)
    assert code == 0, err
    assert project.seen_file.read_text().split()[:2] == ["base", "head"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--base=nowhere"], "There is no commit nowhere here."),
        (["--base=HEAD", "--min-blocks=5"], "min_blocks and max_blocks must be even"),
        (["--base=HEAD", "--seed=x"], "--seed: 'x': expected a whole number from 0"),
        (["--base=HEAD", "--setup='"], '--setup: "\'": No closing quotation.'),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(bench, options, message):
    code, out, err = bench("ab", *options, "--meters=estimate", "--", sys.executable, "bench.py")
    assert (code, out) == (2, "")
    assert message in err
    assert not bench.seen_file.exists()
