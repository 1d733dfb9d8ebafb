"""`energygate compare` on run files that hold what no benchmark should give: a named outcome, or a named fault."""

import json
import os
from pathlib import Path

import pytest
from fakes import STEADY_J, a_benchmark, a_run, some_blocks, some_trials
from rig.forked import run_energygate

from energygate.baseline.schema import encode_run

ROOT = Path(__file__).parents[2]
USUAL_J = [*STEADY_J, *STEADY_J]
ODD_J = {
    "no trial": [],
    "one": [100.0],
    "two": [100.0, 101.0],
    "all equal": [100.0] * 10,
    "zeros": [0.0] * 10,
    "one zero": [0.0, *USUAL_J],
    "smallest": [5e-324] * 10,
    "largest": [1e12] * 10,
    "outlier": [*STEADY_J, 1e5, *STEADY_J],
    "uncounted": USUAL_J,
}
COUNTED = {"requests": 10, "output_tokens": 640}


class Shell:
    """A folder of run files, and `energygate compare` in it, where every warning is an error."""

    def __init__(self, folder):
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ENERGYGATE_")}
        self.environ = {**kept, "PYTHONPATH": str(ROOT)}

    def save(self, name, run):
        (path := self.folder / name).write_bytes(encode_run(run))
        return path

    def compare(self, *files):
        code, out, err = run_energygate("compare", *files, cwd=self.folder, env=self.environ, strict=True)
        assert "Traceback" not in err, err
        return code, out, err

    def judged(self, *files):
        """Give the exit code, and the outcome and reason of each benchmark's deciding row."""
        code, out, err = self.compare(*files, "--json")
        assert (err, self.compare(*files)[0]) == ("", code)
        rows = [row for row in json.loads(out)["comparisons"] if row["metric"] != "j_per_output_token"]
        return code, {row["benchmark"]: (row["outcome"], row["reason"]) for row in rows}


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def odd(make):
    """Every odd benchmark, and one that the usual side does not have."""
    counts = {name: {} if name == "uncounted" else COUNTED for name in ODD_J}
    named = [a_benchmark(name=name, trials=make(energies_j, **counts[name])) for name, energies_j in ODD_J.items()]
    return (*named, a_benchmark(name="only here", trials=make(USUAL_J)))


def usual(make):
    """The same as they should be, and one that the odd side does not have."""
    named = [a_benchmark(name=name, trials=make(USUAL_J, **COUNTED)) for name in ODD_J]
    return (*named, a_benchmark(name="only there", trials=make(USUAL_J)))


FEW = "valid {}: too few for an interval. {}."
GONE = "stored runs have it and this run did not measure it. If it was removed on purpose, record a new baseline."
NONE_FIT = (
    "no_baseline",
    "none of the 4 stored runs has 5 valid trials of it that count requests, at a clean commit. Record new ones.",
)
PASSES = {"all equal", "one zero", "outlier"}


def outcomes(judged):
    """Give the outcome of each benchmark, and the reason where none was compared."""
    compared = ("pass", "improved", "regressed")
    return {name: outcome if outcome in compared else (outcome, reason) for name, (outcome, reason) in judged.items()}


def sessions(shell, benchmarks):
    return [shell.save(f"session-{day}.json", a_run(*benchmarks, day=day)) for day in (1, 2, 3, 4)]


def test_an_odd_head_beside_usual_sessions(shell):
    head = shell.save("head.json", a_run(*odd(some_trials), day=9))
    code, judged = shell.judged(*sessions(shell, usual(some_trials)), head)
    no_energy = "10 of 10 trials are invalid. {} J is not the energy of any work."
    few = FEW.format("trials", "Raise trials.count")
    assert code == 1
    assert outcomes(judged) == {
        **dict.fromkeys(PASSES, "pass"),
        "no trial": ("invalid", "it measured no trial."),
        "one": ("inconclusive", f"1 of 5 {few}"),
        "two": ("inconclusive", f"2 of 5 {few}"),
        "zeros": ("invalid", no_energy.format(0)),
        "smallest": ("invalid", no_energy.format("4.94066e-324")),
        "largest": "regressed",
        "uncounted": "pass",
        "only here": ("no_baseline", "no stored run has it yet. Record one on the main branch."),
        "only there": ("missing", GONE),
    }


def test_a_usual_head_beside_odd_sessions(shell):
    head = shell.save("head.json", a_run(*usual(some_trials), day=9))
    code, judged = shell.judged(*sessions(shell, odd(some_trials)), head)
    assert code == 0
    assert outcomes(judged) == {
        **dict.fromkeys(PASSES, "pass"),
        **dict.fromkeys(("no trial", "one", "two", "zeros", "smallest", "uncounted"), NONE_FIT),
        "largest": "improved",
        "only here": ("missing", GONE),
        "only there": ("no_baseline", "no stored run has it yet. Record one on the main branch."),
    }


@pytest.mark.parametrize("head_is_odd", [True, False])
def test_an_odd_side_beside_a_usual_one_measured_in_turns(shell, head_is_odd):
    first, second = (usual, odd) if head_is_odd else (odd, usual)
    base = shell.save("base.json", a_run(*first(some_blocks), day=1))
    code, judged = shell.judged(base, shell.save("head.json", a_run(*second(some_blocks), day=2)))
    new, gone = ("only here", "only there") if head_is_odd else ("only there", "only here")
    void = "{} of 10 blocks are void. {}"
    uncounted = "only the head counts requests. Count them on both sides: joules per request need them."
    assert code == (1 if head_is_odd else 5)
    assert outcomes(judged) == {
        **dict.fromkeys(PASSES, "pass"),
        "no trial": ("invalid", void.format(10, "A block needs one trial of either side.")),
        "one": ("invalid", void.format(9, "A block needs one trial of either side.")),
        "two": ("invalid", void.format(8, "A block needs one trial of either side.")),
        "zeros": ("invalid", void.format(10, "0 J is not the energy of any work.")),
        "smallest": ("invalid", void.format(10, "4.94066e-324 J is not the energy of any work.")),
        "largest": "regressed" if head_is_odd else "improved",
        "uncounted": "pass" if head_is_odd else ("incomparable", uncounted),
        new: ("no_baseline", "the base does not have it: it is new, and has nothing to be compared with."),
        gone: ("missing", GONE),
    }


@pytest.mark.parametrize("blocks", [1, 2])
def test_one_block_or_two_are_too_few(shell, blocks):
    runs = [a_run(a_benchmark(trials=some_blocks(USUAL_J[:blocks])), day=day) for day in (1, 2)]
    code, judged = shell.judged(*(shell.save(f"{run.run_id}.json", run) for run in runs))
    few = FEW.format("blocks", "Allow more time")
    assert (code, list(judged.values())) == (0, [("inconclusive", f"{blocks} of 5 {few}")])


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("-1.0", "$.benchmarks[0].trials[2].energy_j[...]: Expected `float` >= 0.0."),
        ("1e13", "$.benchmarks[0].trials[2].energy_j[...]: Expected `float` <= 1000000000000.0."),
        ("1e999", "$.benchmarks[0].trials[2].energy_j[...]: Number out of range."),
        ("null", "$.benchmarks[0].trials[2].energy_j[...]: Expected `float`, got `null`."),
        ("NaN", "not a complete JSON document (JSON is malformed: invalid character (byte "),
        ("Infinity", "not a complete JSON document (JSON is malformed: invalid character (byte "),
    ],
)
@pytest.mark.parametrize("odd_file", ["base.json", "head.json"])
def test_a_number_that_no_run_file_can_hold_is_a_fault_of_that_file(shell, odd_file, number, fault):
    for day, name in enumerate(("base.json", "head.json"), start=1):
        shell.save(name, a_run(a_benchmark(), day=day))
    (path := shell.folder / odd_file).write_text(path.read_text().replace("100.6", number))
    code, out, err = shell.compare("base.json", "head.json")
    assert (code, out) == (4, "")
    assert err.startswith(f"error: {odd_file}: {fault}")
