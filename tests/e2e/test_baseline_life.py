"""`baseline accept`, `baseline prune`, `history`, `plan` and `aa` as a shell starts them, over runs in a folder."""

import datetime as dt
import json
import os
import subprocess

import pytest
from fakes import NAME, STEADY_J, a_benchmark, a_meter, a_run, an_acceptance, some_trials
from msgspec import structs
from rig.forked import run_energygate

from energygate.baseline.schema import decode_run, encode_run
from energygate.baseline.store import FolderStore

ARROW = "\N{RIGHTWARDS ARROW}"
WOBBLE = (0.0, 0.004, -0.003, 0.002, -0.004)


def session(day, factor=1.0, **more):
    factor *= 1 + WOBBLE[day % len(WOBBLE)]
    return a_run(a_benchmark(trials=some_trials([energy * factor for energy in STEADY_J])), day=day, **more)


class Project:
    """A git repository with stored runs."""

    def __init__(self, folder):
        self.folder = folder
        self.store = FolderStore(folder / "baselines")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ENERGYGATE_"))}
        self.environ = kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        self.git("init", "--quiet")

    def git(self, *arguments):
        subprocess.run(["git", *arguments], cwd=self.folder, env=self.environ, check=True, capture_output=True)

    def __call__(self, *arguments):
        code, out, err = run_energygate(*arguments, cwd=self.folder, env=self.environ)
        assert "Traceback" not in err, err
        return code, out, err

    def add(self, *runs):
        for run in runs:
            self.store.add(run)

    def save(self, run):
        (self.folder / "run.json").write_bytes(encode_run(run))

    def accepted(self):
        return [each.run for each in self.store.everything() if each.run.accepts]


@pytest.fixture
def energygate(tmp_path):
    return Project(tmp_path)


def test_the_run_of_a_failing_gate_is_accepted_and_its_file_is_what_to_commit(energygate):
    energygate.add(*(session(day) for day in range(1, 6)))
    energygate.save(session(9, 1.1))
    energygate.git("config", "user.name", "Alice")
    code, out, err = energygate("baseline", "accept", NAME, "--reason", "a better model", "--run", "run.json")
    (run,) = energygate.accepted()
    path = energygate.store.find(run.run_id).path
    said = f"by Alice on {run.accepts[0].at:%Y-%m-%d}: a better model"
    assert (code, err) == (0, "")
    assert out == (
        f"accepted {NAME}: 100 J {ARROW} 110 J (+9.6 %), {said}\n"
        f"stored as {path}: commit it with the change that it accepts\n"
    )
    assert (run.run_id, run.benchmarks) == (session(9, 1.1).run_id, session(9, 1.1).benchmarks)
    assert energygate("baseline", "list")[1].splitlines()[1] == f"    accepts {NAME} {said}"


def test_accepting_twice_stores_nothing_the_second_time_and_says_who_accepted(energygate):
    energygate.add(*(session(day) for day in range(1, 6)))
    energygate.save(session(9, 1.1))
    command = ("baseline", "accept", NAME, "--reason", "a better model", "--by", "alice", "--run", "run.json")
    energygate(*command)
    ((accepted,),) = (run.accepts for run in energygate.accepted())
    said = f"by alice on {accepted.at:%Y-%m-%d}: a better model"
    assert energygate(*command) == (0, f"{NAME}: already accepted {said}; nothing is stored\n", "")
    assert len(energygate.accepted()) == 1
    assert energygate(*command, "--until", "2999-12-31")[0] == 0
    assert len(energygate.accepted()) == 2
    code, _, err = energygate(*command[:-2])
    assert (code, "waits to be accepted; the newest was already accepted by alice on " in err) == (2, True)


def test_a_mistyped_benchmark_is_said_before_anything_else_that_is_wrong_with_the_run(energygate):
    (energygate.folder / "dirty.json").write_bytes(encode_run(session(9, 1.1, dirty=True)))
    code, _, err = energygate("baseline", "accept", "c", "--reason", "r", "--by", "b", "--run", "dirty.json")
    assert (code, err) == (2, f"error: Run {session(9).run_id} has no benchmark 'c'. It has {NAME}.\n")


def test_an_increase_that_stored_runs_show_is_accepted_without_naming_a_run(energygate):
    runs = [session(day, 1.1 if day > 8 else 1.0) for day in range(1, 13)]
    energygate.add(*runs)
    assert "accepted by nobody" in energygate("history", NAME)[1]
    code, out, _ = energygate("baseline", "accept", NAME, "--reason", "r", "--by", "bob", "--until", "2999-12-31")
    (run,) = energygate.accepted()
    (acceptance,) = run.accepts
    assert code == 0
    assert out.startswith(f"accepted {NAME}: 100 J {ARROW} 110 J (+9.9 %), by bob on ")
    assert (acceptance.since, str(acceptance.until), run.benchmarks) == (runs[8].run_id, "2999-12-31", ())
    history = energygate("history", NAME)[1]
    assert "accepted by nobody" not in history
    assert ", until 2999-12-31: r\n" in history


def test_a_stored_run_may_be_named_by_its_id(energygate):
    energygate.add(session(1), session(2, 1.03))
    assert energygate("baseline", "accept", NAME, "--reason", "r", "--by", "b", "--run", session(2).run_id)[0] == 0
    assert energygate.accepted()[0].accepts[0].since == session(2).run_id


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            [NAME, "--reason", "r", "--by", "b"],
            2,
            "no increase that waits to be accepted. Name the run that shows it with --run FILE: the failing gate saves",
        ),
        (["c", "--reason", "r", "--by", "b", "--run", "run.json"], 2, f"has no benchmark 'c'. It has {NAME}."),
        ([NAME, "--reason", " ", "--by", "b", "--run", "run.json"], 2, "--reason: empty. Reports show it to everybody"),
        (
            [NAME, "--reason", "r", "--by", "b", "--until", "2020-01-01", "--run", "run.json"],
            2,
            "--until 2020-01-01: that day is over. Give a day to come, or none.",
        ),
        (
            [NAME, "--reason", "r", "--run", "run.json"],
            2,
            "git does not know your name. Reports show who accepted. Give --by NAME.",
        ),
        ([NAME, "--reason", "r", "--by", "b", "--run", "none.json"], 2, "Cannot read none.json: no such file"),
        ([NAME, "--reason", "r", "--by", "b", "--run", "1999"], 4, "no run starts with '1999'"),
        ([NAME, "--reason", "r", "--by", "b", "--run", "dirty.json"], 2, "The working tree has uncommitted changes"),
    ],
)
def test_what_cannot_be_accepted_is_refused_and_nothing_is_stored(energygate, arguments, code, message):
    energygate.add(*(session(day) for day in range(1, 6)))
    energygate.save(session(9, 1.1))
    (energygate.folder / "dirty.json").write_bytes(encode_run(session(9, 1.1, dirty=True)))
    refused = energygate("baseline", "accept", *arguments)
    assert (refused[0], refused[1]) == (code, "")
    assert message in refused[2]
    assert energygate.accepted() == []


def test_pruning_lists_and_removes_only_when_it_is_told_to(energygate):
    energygate.add(*(session(day) for day in range(1, 6)))
    paths = sorted(each.path for each in energygate.store.everything())
    code, out, err = energygate("baseline", "prune", "--keep", "3")
    assert (code, err) == (0, "2 of 5 stored runs are not needed; --yes removes them\n")
    assert out == "".join(f"would remove {path}\n" for path in paths[:2])
    assert len(energygate.store.everything()) == 5
    code, out, err = energygate("baseline", "prune", "--keep", "3", "--yes")
    assert (code, err) == (0, "2 of 5 stored runs are not needed; removed 2\n")
    assert out == "".join(f"removed {path}\n" for path in paths[:2])
    assert sorted(each.path for each in energygate.store.everything()) == paths[2:]


def test_pruning_keeps_the_runs_of_anchors(energygate):
    commit = "a" * 40
    (energygate.folder / "energygate.yml").write_text(
        f"version: 1\nanchors: [{{name: v1, commit: {commit}, budget: 10%}}]\n"
    )
    energygate.add(session(1, commit=commit), session(2), session(3))
    assert energygate("baseline", "prune", "--keep", "1", "--yes")[2] == (
        f"warning: {NAME} on 0123456789ab: 2 stored runs left, and without a base fewer than 3 can fail nothing. "
        "Keep more with --keep.\n"
        "1 of 3 stored runs are not needed; removed 1\n"
    )
    assert [each.run.started_at.day for each in energygate.store.everything()] == [3, 1]


def test_a_run_that_cannot_be_read_stops_pruning_before_anything_is_removed(energygate):
    energygate.add(*(session(day) for day in range(1, 4)))
    newest = energygate.store.everything()[0].path
    newest.write_text("{")
    code, out, err = energygate("baseline", "prune", "--keep", "1", "--yes")
    assert (code, out) == (4, "")
    assert str(newest) in err
    assert len(list(newest.parent.iterdir())) == 3


def test_the_documents_are_json_and_nothing_else(energygate):
    energygate.add(*(session(day) for day in range(1, 7)))
    for command, schema in (("history", "history"), ("plan", "plan"), ("aa", "aa")):
        code, out, err = energygate(command, "--json")
        assert (code, err, json.loads(out)["schema"]) == (0, "", f"energygate.{schema}/1")


def test_a_plan_answers_for_the_increase_that_is_asked_for(energygate):
    energygate.add(*(session(day) for day in range(1, 7)))
    code, out, _ = energygate("plan", "--detect", "3%")
    assert code == 0
    assert out.startswith("to find +3.0 % in 90 % of cases on epyc-7763-2s; ")
    assert out.endswith("set gate.budget to 3 % or less: an increase proven smaller than the budget passes\n")
    for wrong in ("3", "0%", "101%"):
        assert energygate("plan", "--detect", wrong)[:2] == (2, "")


def test_what_is_no_setting_comes_from_the_environment_too(energygate):
    energygate.add(*(session(day) for day in range(1, 7)))
    by_option = energygate("plan", "--detect", "3%", "--queued", "20")
    energygate.environ |= {"ENERGYGATE_DETECT": "3%", "ENERGYGATE_QUEUED": "20", "ENERGYGATE_KEEP": "3"}
    assert energygate("plan") == by_option
    assert energygate("baseline", "prune")[2] == "3 of 6 stored runs are not needed; --yes removes them\n"
    for name, run in (("base.json", in_blocks(1)), ("head.json", in_blocks(6))):
        (energygate.folder / name).write_bytes(encode_run(run))
    by_option = energygate("aa", "--blocks", "base.json", "head.json")
    energygate.environ["ENERGYGATE_BLOCKS"] = "base.json:head.json"
    assert energygate("aa") == by_option


def test_the_self_test_tells_what_planted_increases_come_to(energygate):
    energygate.add(*(session(day) for day in range(1, 7)))
    code, out, err = energygate("aa")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "    +10.0 % planted, 6 comparisons: 100 % regressed"


def test_a_run_in_which_the_machine_had_changed_is_left_out_of_plan_self_test_and_history(energygate):
    def of_five(day, factor=1.0):
        (one,) = session(day, factor).benchmarks
        return a_run(*(a_benchmark(name=f"b{i}", trials=one.trials) for i in range(5)), day=day)

    energygate.add(*(of_five(day, 1.75 if day == 4 else 1.0) for day in range(1, 8)))
    code, out, err = energygate("plan", "--json")
    (machine,) = json.loads(out)["machines"]
    assert (code, err) == (0, "")
    assert {(each["found_sessions"], each["session_sd"] < 0.005) for each in machine["benchmarks"]} == {(6, True)}
    (tested,) = json.loads(energygate("aa", "--json")[1])["machines"]
    assert (tested["spread"]["sessions"], tested["spread"]["sd"] < 0.005) == (6, True)
    assert energygate("history", "b3")[1].count("left out: the machine differs, not the code\n") == 1


@pytest.mark.parametrize("command", ["plan", "aa"])
def test_a_machine_that_stays_changed_is_said_beside_plan_and_self_test(energygate, command):
    (one,) = session(1).benchmarks
    slow = some_trials([1.75 * trial.total_j for trial in one.trials])
    for day in range(1, 9):
        trials = slow if day > 4 else one.trials
        energygate.add(a_run(*(a_benchmark(name=f"b{i}", trials=trials) for i in range(5)), day=day))
    code, _, err = energygate(command)
    assert code == 0
    assert err == (
        "warning: stored runs differ by +75.0 % throughout since 2026-11-05 (0123456789ab): the machine, or something "
        "that all benchmarks share, changed. Older runs don't count any more.\n"
    )


def test_a_refused_estimate_names_the_option_of_the_command_that_was_run(energygate):
    guess = (a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)),)
    for day in (1, 2):
        (energygate.folder / f"{day}.json").write_bytes(encode_run(session(day, meters=guess)))
    code, out, _ = energygate("compare", "1.json", "2.json")
    assert code == 5
    assert "or let estimates decide: --allow-estimates, allow_estimates: true." in out


def in_blocks(day, factor=1.0, **more):
    run = session(day, factor, **more)
    trials = [structs.replace(trial, block=trial.index) for trial in run.benchmarks[0].trials]
    return structs.replace(run, benchmarks=(a_benchmark(trials=trials),))


def test_the_self_test_takes_one_commit_interleaved_with_itself(energygate):
    for name, run in (("base.json", in_blocks(1)), ("head.json", in_blocks(6)), ("plain.json", session(6))):
        (energygate.folder / name).write_bytes(encode_run(run))
    code, out, err = energygate("aa", "--blocks", "base.json", "head.json")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == ("epyc-7763-2s (0123456789ab): 1 benchmark, one commit interleaved with itself")
    assert out.splitlines()[-1] == "    +10.0 % planted, 1 comparison: 100 % regressed"
    assert energygate("aa", "--blocks", "base.json", "plain.json")[2] == (
        "error: base.json and plain.json are not the two sides of one interleaving. "
        "Give the two runs of one `energygate ab --save`: run.base.json and run.json.\n"
    )
    (energygate.folder / "head.json").write_bytes(encode_run(in_blocks(6, commit="b" * 40)))
    code, out, err = energygate("aa", "--blocks", "base.json", "head.json")
    assert (code, out) == (2, "")
    assert err.startswith("error: base.json and head.json are of different code. Where something changed, ")


@pytest.mark.parametrize("count", [0, 3])
def test_the_self_test_needs_four_sessions(energygate, count):
    energygate.add(*(session(day) for day in range(1, count + 1)))
    code, out, err = energygate("aa")
    assert (code, out) == (4, "")
    assert "has 4 sessions on one level." in err


@pytest.mark.parametrize("command", ["history", "plan"])
def test_what_is_not_stored_is_said(energygate, command):
    code, out, err = energygate(command)
    assert (code, out) == (4, "")
    assert err == (
        f"error: {energygate.folder}/baselines holds no run. `energygate baseline list` shows the stored runs; "
        "`energygate run --mode record` or `python -m pytest --energy --energy-mode=record` stores one.\n"
    )
    energygate.add(session(1))
    code, out, err = energygate(command, "another")
    assert (code, out) == (4, "")
    assert f"holds no session of a benchmark called 'another'. It has {NAME}. " in err


def test_acceptances_of_earlier_files_are_read_and_written_ones_read_back(energygate):
    text = encode_run(session(1)).replace(
        b'"accepts": []',
        b'"accepts": [{"benchmark": "b", "by": "a", "reason": "r", "at": "2026-11-01T00:00:00Z"}]',
    )
    (acceptance,) = decode_run(text, origin="run.json").accepts
    assert (acceptance.until, acceptance.since) == (None, None)
    assert decode_run(encode_run(decode_run(text, origin="a")), origin="b") == decode_run(text, origin="a")


@pytest.mark.parametrize(
    ("day", "until", "code", "said"),
    [
        (15, None, 0, "note: a new level is accepted by alice on 2026-11-01: a better model"),
        (15, "2026-11-15", 0, "note: a new level is accepted by alice on 2026-11-01, until 2026-11-15: a better model"),
        (15, "2026-11-14", 1, "warning: bench.py::test_encode: ACCEPTANCE EXPIRED on 2026-11-14: by alice on "),
        (15, "nobody", 0, "and nobody accepted it. Find the cause, or accept it with `energygate baseline accept`."),
        (45, None, 0, "warning: stale baseline: the newest stored session of bench.py::test_encode is 35 days old"),
    ],
)
def test_every_report_says_what_was_accepted_and_what_was_not(energygate, day, until, code, said):
    runs = [session(each, 1.1 if each > 6 else 1.0) for each in range(1, 11)]
    last = None if until in {None, "nobody"} else dt.date.fromisoformat(until)
    accepted = structs.replace(an_acceptance(), until=last, since=runs[6].run_id)
    words = () if until == "nobody" else (a_run(day=11, accepts=(accepted,)),)
    for run in (*runs, *words, session(day, 1.1)):
        (energygate.folder / f"{run.started_at.timestamp():.0f}.json").write_bytes(encode_run(run))
    found = energygate("compare", *sorted(path.name for path in energygate.folder.glob("*.json")))
    assert found[0] == code
    assert said in found[1]
