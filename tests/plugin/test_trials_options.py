"""`--energy-trials`, `--energy-warmup`, `--energy-min-time`."""

import pytest

COUNTING = """\
calls = []

def test_it(energy):
    for trial in energy.trials():
        with trial:
            calls.append(trial)

def test_after():
    print("calls:", len(calls))
"""


def trials(project, file="run.json"):
    return [len(benchmark["trials"]) for benchmark in project.json(file)["benchmarks"]]


@pytest.mark.parametrize(
    ("options", "calls", "kept"),
    [((), 11, 10), (("--energy-trials=3",), 4, 3), (("--energy-warmup=4",), 14, 10), (("--energy-warmup=0",), 10, 10)],
)
def test_so_many_trials_are_kept_after_so_many_that_are_not(project, options, calls, kept):
    project.write("test_bench.py", COUNTING)
    project.write("windows.jsonl", '{"energy_j": {"package-0": 100.0}, "duration_s": 3.0}\n' * 20)
    result = project.run("-s", "--energy", "--energy-meters=replay:windows.jsonl", "--energy-save=run.json", *options)
    result.stdout.fnmatch_lines([f"*calls: {calls}"])
    assert trials(project) == [kept]


def test_an_option_wins_over_the_marker_and_the_marker_over_the_file(project):
    project.write("energygate.yml", "version: 1\ntrials: {count: 3}\noverrides: {'*decode': {trials: 4}}\n")
    project.write(
        "test_bench.py",
        "import pytest\n"
        "def test_plain(energy):\n    energy(int)\n"
        "def test_decode(energy):\n    energy(int)\n"
        "@pytest.mark.energy(trials=5)\ndef test_marked_decode(energy):\n    energy(int)\n",
    )
    project.write("windows.jsonl", '{"energy_j": {"package-0": 100.0}, "duration_s": 3.0}\n' * 20)
    arguments = ("--energy", "--energy-meters=replay:windows.jsonl", "--energy-save=run.json")
    project.run(*arguments)
    assert trials(project) == [3, 4, 5]
    project.run(*arguments, "--energy-trials=2")
    assert trials(project) == [2, 2, 2]


def test_too_few_trials_for_an_interval_are_inconclusive_not_passed(project):
    project.with_baselines()
    result = project.energy("--energy-trials=4")
    assert result.ret == 0
    assert project.section(result)[3:4] == [
        "              4 of 5 valid trials: too few for an interval. Raise trials.count."
    ]
    assert project.verdict(result) == "energy: INCONCLUSIVE, 2 benchmarks: 2 inconclusive"


def test_a_window_below_the_least_time_does_not_count_and_the_message_says_what_to_do(project, live_powercap):
    tree = live_powercap("one")
    project.one_test("for trial in energy.trials():\n    with trial:\n        sum(range(10_000))")
    result = project.run(
        "--energy",
        "--energy-mode=measure",
        "--energy-meters=rapl",
        f"--energy-sysfs={tree.root}",
        "--energy-trials=1",
        "--energy-min-time=2.5",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines(
        [
            (
                r" +2 invalid trials: too_short: .* s, but these meters need 2\.5 s\. "
                r"Repeat the work \d+ times inside the window, or lower trials\.min_time\."
            )
        ]
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--energy-trials=0", "--energy-trials: '0': expected a whole number from 1 to 1000000."),
        ("--energy-trials=ten", "--energy-trials: 'ten': expected a whole number from 1 to 1000000."),
        ("--energy-warmup=-1", "--energy-warmup: '-1': expected a whole number from 0 to 1000000."),
        ("--energy-min-time=0", "--energy-min-time: '0': expected seconds above 0."),
        ("--energy-min-time=inf", "--energy-min-time: 'inf': expected seconds above 0."),
    ],
)
def test_an_impossible_value_is_refused_before_anything_runs(project, option, message):
    assert project.usage_error(project.energy(option)) == message
