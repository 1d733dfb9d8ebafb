"""The command line as a shell starts it: exit codes, both streams whole, and nothing left running."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from rig.forked import run_energygate

from energygate.report.formats import named_formats

GIT = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@localhost",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
STEADY = (100.1, 99.8, 100.6, 100.2, 99.9, 100.3, 99.7, 100.0, 100.4, 99.9)
SUITE = 'version: 1\nsuites:\n  - {name: one, kind: command, command: ["true"]}\n'
NAME = "a.energy.yml::one"
MEASURED = "energy: MEASURED, nothing was judged"
ESTIMATE = "cpu-estimate: 5.00 W per busy core, 0 W base; not calibrated, so its error is unknown"
LEGEND = "replay: package-0\n"
DONE = f"{NAME}: 10 of 10 trials.\n"


class Shell:
    """A clean git repository with one suite, and `energygate` in it."""

    def __init__(self, folder):
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ENERGYGATE_"))}
        self.environ = kept | GIT | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}

    def start(self, *arguments, **environ):
        return subprocess.Popen(
            [sys.executable, "-m", "energygate", *map(str, arguments)],
            cwd=self.folder,
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments, **environ):
        """Run it to its end; give its exit code and both streams."""
        code, out, err = run_energygate(*arguments, cwd=self.folder, env=self.environ | environ)
        assert "Traceback" not in err, err
        return code, out, err

    def git(self, *arguments):
        subprocess.run(["git", *arguments], cwd=self.folder, env=self.environ, check=True, capture_output=True)

    def write(self, name, text):
        (path := self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def windows(self, name, factor=1.0, *, count=10):
        """Write a file of recorded windows; give the option's value that plays it."""
        lines = (json.dumps({"energy_j": {"package-0": e * factor}, "duration_s": 2.0}) for e in STEADY[:count])
        self.write(name, "\n".join(lines))
        return f"replay:{name}"

    def record(self, times=3):
        for session in range(times):
            done = self(
                "run", "a.energy.yml", "--mode", "record", "--meters", self.windows("r.jsonl", 1 + session / 500)
            )
            assert done[0] == 0, done


@pytest.fixture
def energygate(tmp_path):
    (folder := tmp_path / "repository").mkdir()
    shell = Shell(folder)
    shell.write("a.energy.yml", SUITE)
    shell.write(".gitignore", "*.json\n*.jsonl\n*.md\n/baselines/\n")
    shell.git("init", "--quiet", "--initial-branch=main")
    shell.git("add", ".")
    shell.git("commit", "--quiet", "--message", "a suite")
    return shell


def label_of(folder):
    return json.loads((folder / "run.json").read_text())["machine"]["label"]


def test_measure_mode_shows_what_was_measured_and_saves_it(energygate):
    meters = energygate.windows("w.jsonl")
    code, out, err = energygate("run", "a.energy.yml", "--mode", "measure", "--meters", meters, "--save", "run.json")
    run = json.loads((energygate.folder / "run.json").read_text())
    assert code == 0
    assert out == (
        f"replayed by replay (package-0) on {run['machine']['label']}\n\n"
        "result    benchmark          mean         cv  trials    each\n"
        f"measured  {NAME}   100 J  0.284 %      10  2.00 s\n\n"
        f"{MEASURED}\n"
    )
    assert err == LEGEND + DONE
    assert (run["schema"], run["source"]["branch"], run["source"]["dirty"]) == ("energygate.run/1", "main", False)
    assert [trial["energy_j"]["package-0"] for trial in run["benchmarks"][0]["trials"]] == list(STEADY)


def test_recorded_sessions_make_a_pass_and_a_regression(energygate):
    energygate.record()
    code, out, err = energygate("run", "a.energy.yml", "--meters", energygate.windows("same.jsonl"))
    assert (code, err) == (0, LEGEND + DONE)
    assert out.splitlines()[-1] == "energy: PASSED, 1 of 1 benchmark within budget"
    code, out, err = energygate("run", "a.energy.yml", "--meters", energygate.windows("worse.jsonl", 1.3))
    assert (code, err) == (1, LEGEND + DONE)
    assert out.splitlines()[3].startswith(f"regressed  {NAME}   100   130 J  +29.7 %  +")
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark regressed"


def test_json_is_one_document_and_nothing_else(energygate):
    energygate.record()
    schema = json.loads(energygate("schema", "report")[1])
    meters = energygate.windows("worse.jsonl", 1.3)
    code, out, err = energygate("run", "a.energy.yml", "--meters", meters, "--json", "--report", "json:r.json")
    report = json.loads(out)
    jsonschema.validate(report, schema)
    assert (code, report["exit_code"], report["verdict"]) == (1, 1, "failed")
    assert json.loads((energygate.folder / "r.json").read_text()) == report
    assert err == LEGEND + DONE


@pytest.mark.parametrize("mode", ["measure", "record"])
def test_json_without_a_verdict_is_the_run_and_nothing_else(energygate, mode):
    meters = energygate.windows("w.jsonl")
    code, out, err = energygate("run", "a.energy.yml", "--mode", mode, "--meters", meters, "--json")
    assert (code, json.loads(out)["schema"]) == (0, "energygate.run/1")
    assert err.startswith(LEGEND + DONE)
    assert ("stored as " in err) == (mode == "record")


def test_without_a_baseline_the_verdict_is_inconclusive_and_policy_may_fail_on_it(energygate):
    meters = energygate.windows("w.jsonl")
    code, out, _ = energygate("run", "a.energy.yml", "--meters", meters)
    assert code == 0
    assert out.splitlines()[-1] == "energy: INCONCLUSIVE, 1 benchmark: 1 no baseline"
    code, out, _ = energygate("run", "a.energy.yml", "--meters", meters, "--fail-on", "no_baseline")
    assert code == 4
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark no baseline"


def test_too_few_trials_are_inconclusive_and_policy_may_fail_on_it(energygate):
    energygate.record()
    options = ("run", "a.energy.yml", "--trials", "3", "--meters", energygate.windows("w.jsonl"))
    assert energygate(*options)[0] == 0
    assert energygate(*options, ENERGYGATE_FAIL_ON="inconclusive")[0] == 3


NOT_RECORDED = "not recorded as a session: bad.energy.yml::one: nothing valid was measured"


def test_nothing_valid_is_5_in_every_mode(energygate):
    energygate.write("bad.energy.yml", SUITE.replace('"true"', '"false"'))
    meters = energygate.windows("w.jsonl")
    code, out, _ = energygate("run", "bad.energy.yml", "--meters", meters)
    assert code == 5
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark invalid"
    code, out, _ = energygate("run", "bad.energy.yml", "--meters", meters, "--mode", "measure")
    assert (code, out.splitlines()[-1]) == (5, "energy: FAILED, nothing valid was measured")
    assert "    3 invalid trials: work_failed: the command exited with status 1." in out
    code, out, _ = energygate("run", "bad.energy.yml", "--meters", meters, "--mode", "record")
    assert (code, out.splitlines()[-1]) == (5, "energy: FAILED, nothing was recorded")
    assert NOT_RECORDED in out.splitlines()
    for mode, said in (("measure", "nothing valid was measured"), ("record", NOT_RECORDED)):
        code, _, err = energygate("run", "bad.energy.yml", "--meters", meters, "--mode", mode, "--json")
        assert (code, err.splitlines()[-1]) == (5, f"error: {said}")
    assert not (energygate.folder / "baselines").exists()


def test_too_few_trials_are_refused_before_they_are_measured(energygate):
    meters = energygate.windows("w.jsonl")
    done = energygate("run", "a.energy.yml", "--mode", "record", "--trials", "4", "--meters", meters)
    error = (
        "error: trials.count: at most 4 trials of a benchmark would be recorded, and fewer than 5 are no session. "
        "Nothing could be compared with them. Give 5 or more: --trials=5.\n"
    )
    assert done == (2, "", error)
    assert not (energygate.folder / "baselines").exists()


def test_a_run_that_is_fit_in_part_is_recorded_and_ends_with_5(energygate):
    energygate.write("bad.energy.yml", SUITE.replace('"true"', '"false"'))
    options = ("--mode", "record", "--trials", "5", "--meters", energygate.windows("w.jsonl"))
    code, out, err = energygate("run", "a.energy.yml", "bad.energy.yml", *options)
    assert code == 5
    *_, said, _, closing = out.splitlines()
    words, _, stored = closing.partition("; stored as ")
    assert (said, words) == (NOT_RECORDED, "energy: FAILED, 1 of 2 benchmarks not recorded as a session")
    assert Path(stored).is_file()
    assert f"{NAME}: benchmark 1 of 2\n" in err


def test_a_limit_that_is_exceeded_is_1(energygate):
    energygate.write("energygate.yml", 'version: 1\nlimits: {"a.energy.yml::*": {energy_j: 90}}\n')
    code, out, _ = energygate("run", "a.energy.yml", "--meters", energygate.windows("w.jsonl"))
    assert code == 1
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark over limit"


def test_an_estimate_is_labelled_and_decides_only_where_it_is_allowed(energygate):
    busy = "import time\nend = time.process_time() + 0.9\nwhile time.process_time() < end: pass"
    suite = {"name": "one", "kind": "command", "command": ["{python}", "-c", busy]}
    energygate.write("a.energy.yml", json.dumps({"version": 1, "suites": [suite]}))
    options = ("run", "a.energy.yml", "--trials", "1", "--warmup", "0", "--meters", "estimate")
    code, out, _ = energygate(*options)
    assert code == 5
    assert out.startswith(f"estimated by estimate ({ESTIMATE}) on ")
    assert "the readings are an estimate by model (estimate), not a measurement, and may not decide." in out
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark invalid"
    code, out, _ = energygate(*options, "--allow-estimates")
    assert code == 0
    assert out.splitlines()[-1] == "energy: INCONCLUSIVE, 1 benchmark: 1 no baseline"
    assert out.count(" J (estimate)\n") == 1


def test_a_dirty_tree_is_not_recorded(energygate):
    energygate.write("a.energy.yml", SUITE + "# changed\n")
    done = energygate("run", "a.energy.yml", "--mode", "record", "--meters", energygate.windows("w.jsonl"))
    assert done == (
        2,
        "",
        (
            "error: The working tree has uncommitted changes (a.energy.yml), so this run would describe no commit. A "
            "baseline must be reproducible. Commit or stash them first. Untracked files and the baselines themselves "
            "don't count.\n"
        ),
    )


def test_stored_runs_are_listed_shown_and_recorded_from_a_file(energygate):
    options = ("run", "a.energy.yml", "--mode", "measure", "--meters", energygate.windows("w.jsonl"))
    energygate(*options, "--save", "run.json")
    run = json.loads((energygate.folder / "run.json").read_text())
    assert energygate("baseline", "list") == (
        0,
        "",
        (
            f"no run is stored in {energygate.folder}/baselines; "
            "record one with `energygate run --mode record` or `python -m pytest --energy --energy-mode=record`\n"
        ),
    )
    code, out, err = energygate("baseline", "record", "run.json")
    stored = Path(out.removeprefix("stored as ").rstrip())
    assert (code, err) == (0, "")
    assert json.loads(stored.read_text()) == run
    code, out, _ = energygate("baseline", "list")
    fingerprint, commit, label = run["machine"]["fingerprint"], run["source"]["commit"][:12], run["machine"]["label"]
    assert out == f"{fingerprint}  {run['run_id']}  {commit}    1 benchmark   {label}\n"
    listed = json.loads(energygate("baseline", "list", "--json")[1])
    assert listed == [{"run_id": run["run_id"], "file": str(stored), "commit": run["source"]["commit"]}]
    assert json.loads(energygate("baseline", "show", run["run_id"], "--json")[1]) == run
    code, out, _ = energygate("baseline", "show", run["run_id"][:8])
    assert out.splitlines()[0] == str(stored)
    assert energygate("baseline", "record", "run.json")[0] == 4
    assert energygate("baseline", "show", "x")[0] == 4


def test_a_saved_run_is_stored_with_a_warning_and_only_where_it_holds_a_session(energygate):
    meters = energygate.windows("w.jsonl")
    energygate("run", "a.energy.yml", "--mode", "measure", "--meters", meters, "--save", "run.json")
    run = json.loads((energygate.folder / "run.json").read_text())
    short = {**run["benchmarks"][0], "name": "short", "trials": run["benchmarks"][0]["trials"][:4]}
    sentence = "short: 4 valid trials, and fewer than 5 are no session"
    energygate.write("unfit.json", json.dumps(run | {"benchmarks": [short]}))
    assert energygate("baseline", "record", "unfit.json") == (
        4,
        "",
        f"error: unfit.json holds no session: {sentence}. Record a run with more trials.\n",
    )
    energygate.write("partly.json", json.dumps(run | {"benchmarks": [*run["benchmarks"], short]}))
    code, out, err = energygate("baseline", "record", "partly.json")
    assert (code, err) == (0, f"warning: not recorded as a session: {sentence}\n")
    assert Path(out.removeprefix("stored as ").rstrip()).is_file()


def test_run_files_are_compared(energygate):
    names = []
    for session in range(4):
        options = ("--mode", "measure", "--meters", energygate.windows("w.jsonl", 1.3 if session == 3 else 1.0))
        energygate("run", "a.energy.yml", *options, "--save", f"{session}.json")
        names.append(f"{session}.json")
    code, out, err = energygate("compare", *names)
    assert (code, err) == (1, "")
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark regressed"
    code, out, _ = energygate("compare", *names, "--budget", "50%", "--json")
    assert (code, json.loads(out)["policy"]["budget"]) == (0, 0.5)
    assert energygate("compare", *names[:3])[0] == 0


def test_a_benchmark_that_head_lacks_is_missing_in_a_comparison(energygate):
    meters = energygate.windows("w.jsonl", count=5)
    energygate.write("b.energy.yml", SUITE)
    options = ("--mode", "measure", "--trials", "5", "--meters", meters)
    for name in ("base.json", "head.json"):
        energygate("run", "a.energy.yml", *options, "--save", name)
    base = json.loads((energygate.folder / "base.json").read_text())
    base["benchmarks"].append({**base["benchmarks"][0], "name": "gone"})
    energygate.write("base.json", json.dumps(base))
    code, out, _ = energygate("compare", "base.json", "head.json", "--fail-on", "missing")
    assert code == 4
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 2 benchmarks missing"


def test_what_any_base_run_has_is_missing_where_the_head_lacks_it(energygate):
    for name in ("old.json", "new.json", "head.json"):
        options = ("--mode", "measure", "--meters", energygate.windows("w.jsonl"), "--save", name)
        energygate("run", "a.energy.yml", *options)
    old = json.loads((energygate.folder / "old.json").read_text())
    old["benchmarks"].append({**old["benchmarks"][0], "name": "gone"})
    energygate.write("old.json", json.dumps(old))
    code, out, _ = energygate("compare", "old.json", "new.json", "head.json", "--fail-on", "missing")
    assert code == 4
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 2 benchmarks missing"


def test_a_run_is_no_baseline_for_itself_and_a_folder_no_run(energygate):
    options = ("--mode", "measure", "--meters", energygate.windows("w.jsonl"), "--save", "run.json")
    energygate("run", "a.energy.yml", *options)
    run_id = json.loads((energygate.folder / "run.json").read_text())["run_id"]
    assert energygate("compare", "run.json", "run.json") == (
        2,
        "",
        (
            f"error: Run {run_id} is given twice. One run is one session, and no baseline for itself. "
            "Give each run once, and the head last.\n"
        ),
    )
    (energygate.folder / "runs").mkdir()
    assert energygate("compare", "runs", "run.json") == (
        2,
        "",
        "error: runs is a folder. Give the files in it: runs/*.json, runs/*/*.json.\n",
    )


UNUSED = "warning: limits: 'gone::*' fits no benchmark of this run, so it decides nothing"


def test_a_limit_that_fits_nothing_is_a_warning_wherever_there_is_a_verdict(energygate):
    energygate.write("energygate.yml", 'version: 1\nlimits: {"gone::*": {energy_j: 90}, "a*": {energy_j: 900}}\n')
    for name in ("base.json", "head.json"):
        options = ("--meters", energygate.windows("w.jsonl"), "--save", name)
        code, out, _ = energygate("run", "a.energy.yml", *options)
        assert code == 0
        assert [line for line in out.splitlines() if line.startswith("warning: limits")] == [UNUSED]
    code, out, _ = energygate("compare", "base.json", "head.json")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("warning: limits")] == [UNUSED]


def test_a_misspelt_canary_is_a_warning_wherever_it_would_be_asked(energygate):
    energygate.write("energygate.yml", "version: 1\ncanary: a.energy.yml::won\n")
    warning = (
        "warning: canary: 'a.energy.yml::won' is no benchmark of this run, so it cannot tell that the machine changed. "
        "It was looked for among a.energy.yml::one. Write one such name in full; it is no pattern."
    )
    for name in ("base.json", "head.json"):
        _, out, _ = energygate("run", "a.energy.yml", "--meters", energygate.windows("w.jsonl"), "--save", name)
        assert [line for line in out.splitlines() if "canary" in line] == [warning]
    code, out, _ = energygate("compare", "base.json", "head.json")
    assert (code, [line for line in out.splitlines() if "canary" in line]) == (0, [warning])


def test_the_configuration_of_the_repository_holds_in_its_folders_too(energygate):
    energygate.write("energygate.yml", 'version: 1\nlimits: {"sub/b.energy.yml::*": {energy_j: 90}}\n')
    energygate.write("sub/b.energy.yml", SUITE)
    meters = energygate.windows("sub/w.jsonl").replace("sub/", "")
    below = Shell(energygate.folder / "sub")
    code, out, _ = below("run", "b.energy.yml", "--meters", meters, GIT_CEILING_DIRECTORIES="")
    assert code == 1
    assert out.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark over limit"


def test_a_mode_of_the_environment_means_only_commands_that_measure(energygate):
    meters = energygate.windows("w.jsonl")
    energygate("run", "a.energy.yml", "--meters", meters, "--report", "json:r.json")
    done = energygate("report", "r.json", "--report", "markdown:c.md", ENERGYGATE_MODE="record")
    assert done == (0, "", "")


def test_a_stored_report_is_rendered_again(energygate):
    energygate.record()
    meters = energygate.windows("worse.jsonl", 1.3)
    _, shown, _ = energygate("run", "a.energy.yml", "--meters", meters, "--report", "json:r.json")
    assert energygate("report", "r.json") == (0, shown, "")
    assert energygate("report", "r.json", "--report", "markdown:c.md", "--report", "json:again.json") == (0, "", "")
    assert (energygate.folder / "c.md").read_text().startswith("<!-- energygate:v1:default -->\n## Energy: regressed.")
    assert (energygate.folder / "again.json").read_bytes() == (energygate.folder / "r.json").read_bytes()


@pytest.mark.parametrize("kind", ["run", "report", "config", "suite"])
def test_a_schema_is_printed(energygate, kind):
    code, out, err = energygate("schema", kind)
    assert (code, err) == (0, "")
    jsonschema.Draft202012Validator.check_schema(json.loads(out))


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (
            ["run", "gone.energy.yml"],
            2,
            "Cannot read gone.energy.yml: No such file or directory. Give a file that is there.",
        ),
        (["run"], 2, "There is no suite to run. Name a *.energy.yml file, or list suites in energygate.yml."),
        (
            ["run", "a.energy.yml", "a.energy.yml"],
            2,
            f"Two benchmarks are called {NAME}. Rename one of them, or name its file once.",
        ),
        (["run", "a.energy.yml", "--trials", "0"], 2, "--trials: '0': expected a whole number from 1 to 1000000."),
        (
            ["run", "a.energy.yml", "--mode", "record", "--report", "json:r.json"],
            2,
            "--report asks for a verdict, and mode record makes none. Use --save for the run itself, or mode gate.",
        ),
        (
            ["run", "a.energy.yml", "--mode", "gait"],
            2,
            "--mode: 'gait': did you mean gate? allowed: measure, gate, record.",
        ),
        (
            ["schema", "confg"],
            2,
            (
                "Invalid value for '{{run|report|config|suite}}': 'confg' is none of run, report, config, suite. Did "
                "you mean config? `energygate schema --help` shows how it is used."
            ),
        ),
        (
            ["run", "a.energy.yml", "--report", "jsn:x"],
            2,
            f"--report: 'jsn:x': there is no such format. Did you mean json? There are {named_formats('and')}.",
        ),
        (
            ["report", "gone.json"],
            2,
            "Cannot read gone.json: No such file or directory. Give a report that is there.",
        ),
        (
            ["baseline", "list", "--baselines", "git:energy"],
            2,
            (
                "baselines: git:energy: {folder} has no remote called origin. The branch is kept there. Add it: git "
                "remote add origin URL. Or keep them in a folder: `baselines: baselines`."
            ),
        ),
    ],
)
def test_a_user_error_is_one_line_on_stderr(energygate, arguments, code, error):
    assert energygate(*arguments) == (code, "", f"error: {error.format(folder=energygate.folder)}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "a.energy.yml", "--meters", "volt"],
        ["run", "a.energy.yml", "--meters", "replay:gone.jsonl"],
        ["run", "broken.energy.yml"],
        ["run", "a.energy.yml", "--config", "gone.yml"],
        ["compare", "--budget", "5", "x", "y"],
        ["report", "a.energy.yml"],
        ["report", "."],
    ],
)
def test_any_other_user_error_is_2_with_a_sentence(energygate, arguments):
    energygate.write("broken.energy.yml", "version: 1\nsuites: [{name: a}]\n")
    code, out, err = energygate(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "energygate.report/9"}', "\udcff"])
def test_a_broken_report_is_refused_by_name(energygate, text):
    (energygate.folder / "r.json").write_bytes(text.encode(errors="surrogateescape"))
    code, out, err = energygate("report", "r.json")
    assert (code, out) == (2, "")
    assert err.startswith("error: r.json: ")


def test_a_report_with_counts_from_elsewhere_is_rendered_by_its_rows(energygate):
    meters = energygate.windows("w.jsonl")
    energygate("run", "a.energy.yml", "--meters", meters, "--report", "json:r.json")
    document = json.loads((energygate.folder / "r.json").read_text())
    energygate.write("r.json", json.dumps(document | {"counts": {"made up": 1}}))
    code, out, _ = energygate("report", "r.json")
    assert code == 0
    assert out.splitlines()[-1] == "energy: INCONCLUSIVE, 1 benchmark: 1 no baseline"


def test_a_run_that_cannot_be_saved_is_2_before_anything_is_measured(energygate):
    meters = energygate.windows("w.jsonl")
    code, out, err = energygate("run", "a.energy.yml", "--meters", meters, "--save", "a.energy.yml/run.json")
    assert (code, out) == (2, "")
    target = energygate.folder / "a.energy.yml/run.json"
    assert err == f"error: Cannot make the folder of {target}: {target.parent} is a file. Give another path.\n"


def test_an_interrupt_stops_the_child_keeps_what_is_complete_and_records_nothing(energygate):
    sleep = "import os, time; open('child.pid', 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    suites = [
        {"name": "done", "kind": "command", "command": ["true"]},
        {"name": "stuck", "kind": "command", "command": ["{python}", "-c", sleep]},
    ]
    energygate.write("a.energy.yml", json.dumps({"version": 1, "suites": suites}))
    energygate.write(".gitignore", "*.json\n*.jsonl\n/baselines/\n/child.pid\n")
    energygate.git("commit", "--quiet", "--all", "--message", "two suites")
    meters = energygate.windows("w.jsonl")
    command = ("run", "a.energy.yml", "--mode", "record", "--meters", meters, "--save", "run.json")
    with energygate.start(*command) as process:
        child = wait_for_pid(energygate.folder / "child.pid", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert re.fullmatch(
        f"{LEGEND}a.energy.yml::done: benchmark 1 of 2\na.energy.yml::done: 10 of 10 trials.\n"
        "a.energy.yml::stuck: benchmark 2 of 2, about [0-9]+ s left\n\ninterrupted\n",
        err,
    )
    assert is_gone(child)
    run = json.loads((energygate.folder / "run.json").read_text())
    done, stuck = run["benchmarks"]
    assert [trial["invalid"] for trial in done["trials"]] == [None] * 10
    assert (stuck["name"], stuck["trials"]) == ("a.energy.yml::stuck", [])
    assert not (energygate.folder / "baselines").exists()


def test_a_session_that_can_no_longer_be_recorded_is_2_and_printed_all_the_same(energygate):
    suite = {"name": "one", "kind": "command", "command": ["sh", "-c", "touch baselines"]}
    energygate.write("a.energy.yml", json.dumps({"version": 1, "suites": [suite]}))
    energygate.git("commit", "--quiet", "--all", "--message", "a suite that makes a file of the store")
    code, out, err = energygate("run", "a.energy.yml", "--mode", "record", "--meters", energygate.windows("w.jsonl"))
    assert code == 2
    assert out.splitlines()[3:] == [f"measured  {NAME}   100 J  0.284 %      10  2.00 s", "", MEASURED]
    assert err.startswith(f"{LEGEND}{DONE}error: Cannot write {energygate.folder}/baselines/")
    assert err.endswith(
        "Nothing was recorded, and of this session only what is printed is left: measure again. --save=FILE would keep "
        "it, and `energygate baseline record FILE` record it.\n"
    )


def test_a_report_that_cannot_be_written_is_2_and_costs_no_other(energygate):
    energygate.record(1)
    energygate("run", "a.energy.yml", "--meters", energygate.windows("w.jsonl"), "--save", "head.json")
    (energygate.folder / "blocked").mkdir()
    reports = ("--report", "json:blocked", "--report", "markdown:report.md", "--report", "json:report.json")
    (base,) = energygate.folder.glob("baselines/*/*.json")
    error = (
        f"error: Cannot write {energygate.folder}/blocked: Is a directory. Give another path, or make room and give "
        "this user write permission there.\n"
    )
    code, out, err = energygate("compare", base, "head.json", *reports)
    assert (code, err, out.splitlines()[-1].partition(",")[0]) == (2, error, "energy: INCONCLUSIVE")
    assert "| " in (energygate.folder / "report.md").read_text()
    (energygate.folder / "report.md").unlink()
    assert energygate("report", "report.json", *reports[:4]) == (2, "", error)
    assert "| " in (energygate.folder / "report.md").read_text()


def test_sigterm_between_trials_and_in_the_second_idle_window_keeps_what_is_complete(energygate, live_powercap):
    energygate.write(
        "energygate.yml",
        f"version: 1\nsysfs: {live_powercap('one').root}\nmeters: [rapl]\n"
        "noise: {foreign: 100%, pressure: 100%, steal: 100%}\n"
        "trials: {count: 2, warmup: 0, min_time: 0.1, idle: 5}\n"
        "suites: [{name: nap, kind: command, command: [sleep, '0.15']}]\n",
    )
    with energygate.start("run", "--mode", "measure", "--save", "run.json") as process:
        notes = [process.stderr.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (143, "", "\nterminated\n")
    assert notes[2] == "energygate.yml::nap: 2 of 2 trials.\n"
    run = json.loads((energygate.folder / "run.json").read_text())
    assert [len(each["trials"]) for each in run["benchmarks"]] == [2]
    assert run["idle"] is None


def wait_for_pid(file, process):
    """The number that the child wrote; the loop ends with the child's line or with the process, whichever is first."""
    while process.poll() is None:
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


def is_gone(pid):
    stat = Path("/proc", str(pid), "stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_reader_that_has_gone_does_not_change_the_exit_code(energygate):
    energygate("run", "a.energy.yml", "--meters", energygate.windows("w.jsonl"), "--report", "json:report.json")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "energygate", "report", "report.json"],
        cwd=energygate.folder,
        env=energygate.environ,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
