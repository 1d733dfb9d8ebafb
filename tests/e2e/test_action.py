"""`energygate action`, the action's measuring step: what the command sees, what the job gets, and what is left."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import a_report, a_row
from fakes_git import ROOT, STEADY, Repository
from rig.adapters import UNPRIVILEGED

from energygate.cli.action import action
from energygate.measure.lock import machine_lock
from energygate.model import Outcome
from energygate.report.json import encode_report
from energygate.workloads.proc import stat_of

SUITE = 'version: 1\nsuites:\n  - {name: one, kind: command, command: ["true"]}\n'
NAME = "a.energy.yml::one"
MAIN = {"GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}
CANARIES = {
    "ENERGYGATE_GITHUB_TOKEN": "canary1",
    "GITHUB_TOKEN": "canary2",
    "GH_TOKEN": "canary3",
    "ACTIONS_RUNTIME_TOKEN": "canary4",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary5",
    "INPUT_GITHUB-TOKEN": "canary6",
}
BUSY_AND_QUICK = """\
version: 1
noise: {foreign: 100%, pressure: 100%, steal: 100%}
trials: {min_time: 0.1, warmup: 0, count: 2}
"""
RUNNER_FILES = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
SEEN = "cat /proc/self/environ > seen"
REPORTED = 'cp report.made "${ENERGYGATE_REPORT#json:}"'


class Job:
    """A job of a pull request in a clone with GitHub's merge commit, and the runner's folders and files."""

    def __init__(self, folder):
        self.repository = Repository(folder / "project")
        self.folder = self.repository.folder
        self.repository.write(".gitignore", "seen*\nreport.made\n*.jsonl\n/baselines/\n")
        self.repository.write("a.energy.yml", SUITE)
        self.base = self.repository.commit()
        self.repository.git("checkout", "--quiet", "-b", "topic")
        self.head = self.repository.commit(b_txt="1")
        self.repository.git("checkout", "--quiet", "main")
        self.repository.git("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
        self.temporary = folder / "runner"
        (folder / "tmp").mkdir()
        self.temporary.mkdir()
        self.output = folder / "output"
        self.output.touch()
        (event := folder / "event.json").write_text(json.dumps(self.payload))
        self.environ = {
            **self.repository.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder / "tmp"),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": "acme/widgets",
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_SHA": self.repository.git("rev-parse", "HEAD").strip(),
            "GITHUB_RUN_ID": "1",
        }

    @property
    def payload(self):
        own = {"full_name": "acme/widgets"}
        return {
            "action": "opened",
            "repository": {"default_branch": "main"},
            "pull_request": {
                "number": 7,
                "head": {"sha": self.head, "repo": own},
                "base": {"sha": self.base, "repo": own},
            },
        }

    def start(self, run, **environ):
        """Start it as action.yml does, in a process of its own; `-I` leaves out PYTHONPATH, so this tree is named."""
        ours = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('energygate', None, '__main__')"
        return subprocess.Popen(
            [sys.executable, "-I", "-c", ours, "action"],
            cwd=self.folder,
            env=self.environ | {"ENERGYGATE_RUN": run} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, run, **environ):
        """Run the step in this process, to its end; give its exit code and what it printed."""
        whole = self.environ | {"ENERGYGATE_RUN": run} | environ
        with pytest.MonkeyPatch.context() as here:
            for name in set(os.environ) - set(whole):
                here.delenv(name)
            for name, value in whole.items():
                here.setenv(name, value)
            here.chdir(self.folder)
            done = CliRunner().invoke(action, catch_exceptions=False)
        return done.exit_code, done.output

    def outputs(self):
        """What the next step would be given."""
        found = re.findall(r"(\S+)<<(EG_[0-9a-f]{32})\n(.*?)\n\2\n", self.output.read_text(), re.DOTALL)
        return {name: value for name, _, value in found}

    def seen(self, name="seen"):
        """The environment of the command, or of what else has left it in a file."""
        entries = (self.folder / name).read_bytes().decode().split("\0")
        return dict(entry.partition("=")[::2] for entry in entries if entry)

    def reports(self, outcome=Outcome.PASS, **how):
        """Lay a report ready that the command copies."""
        (self.folder / "report.made").write_bytes(encode_report(a_report(a_row(outcome=outcome), **how)))

    def windows(self, name, factor=1.0):
        lines = (json.dumps({"energy_j": {"package-0": factor * e}, "duration_s": 2.0}) for e in STEADY)
        (self.folder / name).write_text("\n".join(lines))
        return f"replay:{name}"


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


def outside_the_fence(out):
    """The lines that the runner would obey."""
    word = re.search("^::stop-commands::([0-9a-f]{32})$", out, re.MULTILINE)[1]
    before, _, rest = out.partition(f"::stop-commands::{word}\n")
    inside, _, after = rest.partition(f"\n::{word}::\n")
    return inside, [*before.splitlines(), *after.splitlines()]


def test_a_regression_is_in_the_outputs_and_the_step_itself_passes_so_that_it_is_published(job):
    job.reports(Outcome.REGRESSED, exit_code=1, verdict="failed")
    code, out = job(f"{REPORTED}; exit 1")
    outputs = job.outputs()
    assert code == 0, out
    assert {name: outputs[name] for name in ("exit-code", "verdict")} == {"exit-code": "1", "verdict": "failed"}
    assert Path(outputs["report"]).read_bytes() == (job.folder / "report.made").read_bytes()
    assert Path(outputs["report"]).is_relative_to(job.temporary)
    assert outside_the_fence(out)[1] == [f"gate: commit {job.head[:12]}, base {job.base}"]


def test_a_command_that_fails_for_another_reason_is_2_with_that_sentence(job):
    job.reports()
    code, out = job(f"{REPORTED}; false; echo never")
    assert (code, job.outputs()["exit-code"], job.outputs()["verdict"]) == (0, "2", "passed")
    assert outside_the_fence(out)[1][-1] == (
        "::error title=energygate::The command left with 1 although no benchmark regressed."
    )


def test_a_command_that_measures_nothing_is_5(job):
    code, out = job("echo nothing")
    outputs = job.outputs()
    assert (code, outputs["exit-code"]) == (0, "5")
    assert outputs["why"].startswith("The command left with 0 and wrote no report. It must measure with ")
    assert outside_the_fence(out)[1][-1].startswith(
        "::error title=energygate::The command left with 0 and wrote no report. "
    )


def test_the_command_sees_its_settings_and_none_of_the_jobs_secrets(job):
    job.reports()
    public = {"HF_TOKEN": "the author's", "ENERGYGATE_SETUP": "", "ENERGYGATE_FAIL_ON": "suspect"}
    code, out = job(f"{SEEN}; {REPORTED}", **CANARIES, **public, ENERGYGATE_BASELINES="stored", ENERGYGATE_ID="one")
    seen = job.seen()
    assert (code, job.outputs()["exit-code"]) == (0, "0"), out
    assert [name for name in seen if name in CANARIES or "canary" in seen[name]] == []
    assert "canary" not in out + job.output.read_text()
    outputs = job.outputs()
    told = {name: value for name, value in seen.items() if name.startswith("ENERGYGATE_") and value}
    del told["ENERGYGATE_PROCESS"]
    assert told == {
        "ENERGYGATE_MODE": "gate",
        "ENERGYGATE_AGAINST": job.base,
        "ENERGYGATE_REPORT": f"json:{outputs['report']}",
        "ENERGYGATE_SAVE": str(Path(outputs["report"]).with_name("run.json")),
        "ENERGYGATE_LOCK_TIMEOUT": "3600",
        "ENERGYGATE_FAIL_ON": "suspect",
        "ENERGYGATE_BASELINES": str(job.folder / "stored"),
    }
    assert seen["HF_TOKEN"] == "the author's"
    assert seen["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_neither_setup_nor_the_command_sees_a_token_or_the_runners_files(job):
    job.reports()
    files = {name: f"/canary/{name}" for name in RUNNER_FILES}
    setup = "sh -c 'cat /proc/self/environ > seen.setup'"
    code, out = job(f"{SEEN}; {REPORTED}", **CANARIES, **files, ENERGYGATE_SETUP=setup)
    assert (code, job.outputs()["exit-code"]) == (0, "0"), out
    for seen in (job.seen(), job.seen("seen.setup")):
        assert [name for name in ("GITHUB_OUTPUT", *files, *CANARIES) if name in seen] == []
        assert [name for name, value in seen.items() if "canary" in value] == []
        assert seen["GITHUB_REPOSITORY"] == "acme/widgets"


def test_recording_only_measures_and_saves(job):
    code, out = job(f'{SEEN}; echo {{}} > "$ENERGYGATE_SAVE"', **MAIN, ENERGYGATE_AGAINST="auto")
    told = {name for name in job.seen() if name in {"ENERGYGATE_MODE", "ENERGYGATE_AGAINST", "ENERGYGATE_REPORT"}}
    outputs = job.outputs()
    assert (code, outputs["exit-code"], sorted(outputs)) == (0, "0", ["exit-code", "run-file"]), out
    assert told == {"ENERGYGATE_MODE"}
    assert job.seen()["ENERGYGATE_MODE"] == "measure"


def test_a_gate_without_a_base_measures_none(job):
    job.reports()
    job(f"{SEEN}; {REPORTED}", ENERGYGATE_AGAINST="none")
    assert job.seen()["ENERGYGATE_AGAINST"] == "none"


@pytest.mark.parametrize("own", ["none", "HEAD"])
def test_a_settings_file_cannot_say_by_which_base_its_own_change_is_judged(job, own):
    job.reports()
    job.repository.write("energygate.yml", f"version: 1\nconfirm: {{against: {own}}}\n")
    job(f"{SEEN}; {REPORTED}")
    assert job.seen()["ENERGYGATE_AGAINST"] == job.base


def test_the_input_may_say_that_there_is_no_base(job):
    job.reports()
    job(f"{SEEN}; {REPORTED}", ENERGYGATE_AGAINST="none")
    assert job.seen()["ENERGYGATE_AGAINST"] == "none"


def test_what_the_command_prints_is_fenced_in_order_and_no_command_of_the_job(job):
    job.reports()
    hostile = "echo ::add-mask::passed; echo ::error::mine >&2; echo '::stop-commands::x'; printf 'no end'"
    code, out = job(f"{REPORTED}; {hostile}")
    inside, outside = outside_the_fence(out)
    assert inside == "::add-mask::passed\n::error::mine\n::stop-commands::x\nno end"
    assert [line for line in outside if line.startswith("::")] == []
    assert (code, job.outputs()["exit-code"], job.outputs()["verdict"]) == (0, "0", "passed")


def test_what_the_command_leaves_running_is_ended_and_prints_nothing_behind_the_fence(job):
    job.reports()
    stray = "(trap '' TERM; touch seen.stray; while :; do echo ::error::stray; sleep 0.01; done) & "
    code, out = job(f"{stray} while [ ! -e seen.stray ]; do :; done; {REPORTED}")
    inside, outside = outside_the_fence(out)
    assert (code, job.outputs()["exit-code"]) == (0, "0")
    assert "::error::stray" in inside
    assert [line for line in outside if "stray" in line] == []


def test_the_suites_of_a_real_command_are_judged_and_reported_where_the_action_looks(job):
    for session in range(3):
        meters = job.windows("r.jsonl", 1 + session / 500)
        command = [sys.executable, "-m", "energygate", "run", "a.energy.yml", "--mode=record", f"--meters={meters}"]
        subprocess.run(command, cwd=job.folder, env=job.environ, check=True, capture_output=True)
    meters = job.windows("w.jsonl", 1.3)
    code, out = job("energygate run a.energy.yml", ENERGYGATE_METERS=meters, ENERGYGATE_AGAINST="none")
    outputs = job.outputs()
    assert (code, outputs["exit-code"], outputs["verdict"]) == (0, "1", "failed"), out
    report = json.loads(Path(outputs["report"]).read_text())
    assert [(row["benchmark"], row["outcome"]) for row in report["comparisons"]] == [(NAME, "regressed")]
    assert json.loads(Path(outputs["run-file"]).read_text())["schema"] == "energygate.run/1"


def test_a_counter_that_cannot_be_read_is_5(job):
    (job.folder / "sys").mkdir()
    code, out = job("energygate run a.energy.yml --meters rapl --sysfs sys")
    assert (code, job.outputs()) == (
        0,
        {"exit-code": "5", "why": "The command left with 5: nothing valid was measured."},
    )
    assert "error: No RAPL counters in " in outside_the_fence(out)[0]


def test_counters_that_this_user_may_not_read_are_5_and_the_log_says_who_may(job, powercap):
    tree = powercap("one")
    for zone in tree.machine.zones:
        tree.energy_file(zone).chmod(0)
    drop = shlex.join(UNPRIVILEGED) if os.geteuid() == 0 else ""
    code, out = job(f"{drop} energygate run a.energy.yml --meters rapl --sysfs {tree.root}")
    said = outside_the_fence(out)[0]
    if "setpriv" in said:
        pytest.skip(f"{said}: this would have shown what a job comes to whose user may not read the counters")
    assert (code, job.outputs()) == (
        0,
        {"exit-code": "5", "why": "The command left with 5: nothing valid was measured."},
    )
    assert f"error: Cannot read {tree.energy_file('intel-rapl:0')}: permission denied. " in said


def test_a_selection_without_a_benchmark_is_5_and_its_report_says_that_none_ran(job):
    job.repository.write("test_bench.py", "def test_encode(energy):\n    energy(sum, [1])\n")
    code, out = job("pytest --energy-only -k nothing")
    outputs = job.outputs()
    assert (code, outputs["exit-code"], outputs["verdict"]) == (0, "5", "failed"), out
    report = json.loads(Path(outputs["report"]).read_text())
    assert (report["exit_code"], report["comparisons"]) == (5, [])


def test_a_gate_waits_for_the_one_that_measures_on_this_machine_until_that_is_cancelled(job, tmp_path, live_powercap):
    (folder := tmp_path / "other").mkdir()
    other, log = Job(folder), tmp_path / "log"
    for each, command in ((job, "echo first >> $LOG; exec sleep 600"), (other, "echo second >> $LOG; sleep 0.3")):
        each.repository.write("one.sh", command)
        each.repository.write("a.energy.yml", SUITE.replace('"true"', "sh, one.sh"))
        each.repository.write("energygate.yml", BUSY_AND_QUICK)
    run = f"energygate run a.energy.yml --meters rapl --sysfs {live_powercap('one').root}"
    shared = {"LOG": str(log), "TMPDIR": job.environ["TMPDIR"], "ENERGYGATE_AGAINST": "none"}
    with job.start(run, **shared) as first:
        while not log.exists():
            assert first.poll() is None
        with other.start(run, **shared) as second:
            while not (line := second.stdout.readline()).startswith("waiting for the machine"):
                assert line, "it has not waited"
            assert log.read_text() == "first\n"
            first.send_signal(signal.SIGINT)
            out, _ = second.communicate()
        first.communicate()
    assert (first.returncode, second.returncode) == (130, 0), out
    assert set(log.read_text().splitlines()[1:]) == {"second"}


def test_a_machine_that_stays_busy_for_longer_than_a_job_may_wait_is_5_and_called_busy(job, powercap):
    tree = powercap("one")
    with machine_lock(tree.root, folders=[Path(job.environ["TMPDIR"])]):
        code, out = job(f"energygate run a.energy.yml --meters rapl --sysfs {tree.root}", ENERGYGATE_LOCK_TIMEOUT="0.1")
    assert (code, job.outputs()) == (
        0,
        {"exit-code": "5", "why": "The command left with 5: nothing valid was measured."},
    )
    assert (
        "error: The machine was busy for all of 0.1 s (lock_timeout). Another energygate job is measuring on this "
        f"machine: process {os.getpid()} holds "
    ) in outside_the_fence(out)[0]


def test_a_command_that_empties_the_runners_folder_has_measured_nothing(job):
    job.reports()
    code, _ = job(f'{REPORTED}; rm -r "$RUNNER_TEMP"/*')
    assert (code, job.outputs()["exit-code"]) == (0, "5")


def test_a_setup_that_empties_the_runners_folder_is_named(job):
    code, out = job("touch seen", ENERGYGATE_SETUP=f"rm -r {job.temporary}")
    assert code == 2
    assert re.search("::error title=energygate::Cannot make a pipe in .*: No such file or directory\\. ", out)
    assert not (job.folder / "seen").exists()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            """(printf '{"x":'; printf '[%.0s' {1..100000}) > $FILE""",
            "the report: not a complete JSON document (maximum recursion depth ",
        ),
        ('ln -s /proc/self/mem "$FILE"', "Cannot read the report: Input/output error. "),
    ],
)
def test_a_report_that_cannot_be_read_is_2_and_said(job, made, said):
    code, out = job(f'FILE="${{ENERGYGATE_REPORT#json:}}"; {made}')
    assert code == 2
    assert out.splitlines()[-1].startswith(f"::error title=energygate::{said}")


def test_setup_runs_once_at_the_top_without_a_shell_and_each_side_gets_an_environment_of_its_own(job):
    job.reports()
    (below := job.folder / "below").mkdir()
    job.folder, top = below, job.folder
    shutil.copy(top / "report.made", below)
    setup = 'python -c \'open("seen.setup", "a").write("once; ")\''
    code, out = job(f"{SEEN}; {REPORTED}", ENERGYGATE_SETUP=setup)
    assert (code, job.outputs()["exit-code"]) == (0, "0"), out
    assert (top / "seen.setup").read_text() == "once; "
    assert (job.seen()["ENERGYGATE_SETUP"], job.seen()["ENERGYGATE_VENV"]) == (setup, "true")


def test_a_setup_that_fails_is_2_and_nothing_is_measured(job):
    code, out = job("touch seen", ENERGYGATE_SETUP="false")
    why = "input setup: the command exited with status 1."
    assert (code, job.outputs()) == (0, {"exit-code": "2", "why": why})
    assert out.splitlines()[-1] == f"::error title=energygate::{why}"
    assert not (job.folder / "seen").exists()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ENERGYGATE_ID": "a -->"}, "input id: 'a -->': it may be: 1 to 64 of A-Z a-z 0-9 . _ - without --."),
        ({"ENERGYGATE_COMMENT": "yes"}, "input comment: 'yes': it may be: on-change, always, never."),
        ({"ENERGYGATE_NEVER_FAIL": "1"}, "input never-fail: '1': it may be: true, false."),
        ({"ENERGYGATE_MODE": "gait"}, "input mode: 'gait': it may be: auto, gate, record."),
        ({"ENERGYGATE_FAIL_ON": "pass"}, "input fail-on: 'pass': it is a proven pass; "),
        ({"ENERGYGATE_CONFIG": "gone.yml"}, "Cannot read "),
        ({"ENERGYGATE_SETUP": "'"}, 'input setup: "\'": No closing quotation.'),
        (
            {"ENERGYGATE_SETUP": "pip install a\npip install b\n"},
            "input setup: 'pip install a\\npip install b\\n': several ",
        ),
        ({"ENERGYGATE_AGAINST": "v9"}, "There is no commit v9 here. "),
        ({"GITHUB_EVENT_NAME": "issue_comment"}, "energygate does nothing about the event issue_comment. "),
        ({"GITHUB_EVENT_NAME": "pull_request_target"}, "The event is pull_request_target, which is refused "),
        ({"RUNNER_TEMP": "/none"}, "Cannot make a folder for the report: No such file or directory "),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(job, environ, said):
    code, out = job("touch seen", **environ)
    assert code == 2
    assert out.splitlines()[-1].startswith(f"::error title=energygate::{said}")
    assert job.output.read_text() == ""
    assert not (job.folder / "seen").exists()


def test_a_shallow_clone_is_2_and_told_how_to_fetch_the_base_before_anything_is_measured(job, tmp_path):
    shallow = Repository(tmp_path / "shallow")
    shallow.git("fetch", "--quiet", "--depth=1", job.repository.folder.as_uri(), "main")
    shallow.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    job.folder = shallow.folder
    code, out = job("touch seen")
    assert (code, job.output.read_text()) == (2, "")
    assert out == (
        f"::error title=energygate::The base commit {job.base} is not in this clone. Base and head are measured in "
        "turn. Fetch the history: fetch-depth: 0 for actions/checkout. Or measure without a base: against: none.\n"
    )
    assert not (job.folder / "seen").exists()


@pytest.mark.parametrize(
    ("name", "payload", "line"),
    [
        (
            "pull_request",
            {"action": "closed"},
            "::notice title=energygate::nothing to measure: pull_request was closed",
        ),
        (
            "workflow_run",
            {
                "workflow_run": {
                    "id": 9,
                    "event": "pull_request",
                    "head_sha": "a" * 40,
                    "head_branch": "topic",
                    "head_repository": {"id": 5, "full_name": "eve/widgets", "owner": {"login": "eve"}},
                }
            },
            "nothing to measure: the result of another run is published for aaaaaaaaaaaa",
        ),
    ],
)
def test_where_there_is_nothing_to_measure_nothing_is_run_and_the_job_passes(job, name, payload, line):
    Path(job.environ["GITHUB_EVENT_PATH"]).write_text(json.dumps(job.payload | payload))
    assert job("touch seen", GITHUB_EVENT_NAME=name) == (0, f"{line}\n")
    assert job.outputs() == {"exit-code": "0"}
    assert not (job.folder / "seen").exists()


TIDY = """\
trap 'echo tidy > seen.tidy; exit 130' INT
(trap '' INT TERM; exec sleep 600) & echo $! > seen.stray
touch seen.ready
echo ready
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_cancelled_job_lets_the_command_tidy_up_ends_all_that_it_started_and_publishes_nothing(job, number, code):
    with job.start(TIDY) as process:
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        process.send_signal(number)
        out, _ = process.communicate()
    assert (process.returncode, job.output.read_text()) == (code, ""), out
    assert (job.folder / "seen.tidy").read_text() == "tidy\n"
    assert stat_of(int((job.folder / "seen.stray").read_text())) is None


def test_a_job_that_is_not_tidy_yet_when_the_runner_sends_sigterm_ends_all_at_once(job):
    tarry = TIDY.replace("echo tidy > seen.tidy; exit 130", "echo tidying; exec sleep 600")
    with job.start(tarry) as process:
        for line, number in (("ready\n", signal.SIGINT), ("tidying\n", signal.SIGTERM)):
            while process.stdout.readline() != line:
                assert process.poll() is None
            process.send_signal(number)
        out, _ = process.communicate()
    assert (process.returncode, job.output.read_text()) == (143, ""), out
    assert stat_of(int((job.folder / "seen.stray").read_text())) is None


IN_TURN = """\
version: 1
confirm: {which: all, min_blocks: 6, max_blocks: 6}
trials: {warmup: 0}
suites: [{name: one, kind: command, command: [sh, in_turn.sh]}]
"""
ON_A_SIDE = """\
case "$PWD" in */base|*/head) ;; *) exit 0;; esac
while [ ! -s "$ACTION" ]; do :; done
kill -INT "$(cat "$ACTION")"
if [ -s "$COMMAND" ]; then kill -KILL "$(cat "$COMMAND")"; fi
exec sleep 600
"""


@pytest.mark.parametrize("run", ["energygate run", "trap '' INT; energygate run & echo $! > $COMMAND; wait $!"])
def test_a_cancelled_job_leaves_no_worktree_even_where_the_command_could_not_remove_its_own(job, tmp_path, run):
    job.repository.write("in_turn.sh", ON_A_SIDE)
    job.repository.write("energygate.yml", IN_TURN)
    job.repository.commit()
    job.repository.commit()
    meters = job.windows(tmp_path / "w.jsonl")  # outside, so that the sides find it too
    files = {name: str(tmp_path / name) for name in ("ACTION", "COMMAND")}
    with job.start(run, ENERGYGATE_METERS=meters, ENERGYGATE_AGAINST="HEAD~1", **files) as process:
        (written := tmp_path / "pid").write_text(str(process.pid))
        written.rename(files["ACTION"])
        out, _ = process.communicate()
    assert ": a first run" in out
    assert process.returncode == 130, out
    assert list((tmp_path / "tmp").iterdir()) == []
    assert job.repository.git("worktree", "list").count("\n") == 1


def test_ours_is_imported_though_the_measured_repository_has_modules_of_these_names(job):
    for name in ("energygate/__init__.py", "yaml.py", "click.py"):
        job.repository.write(name, "raise SystemExit(77)\n")
    job.reports()
    with job.start(REPORTED) as process:
        out, _ = process.communicate()
    assert process.returncode == 0, out
    assert job.outputs()["exit-code"] == "0"
