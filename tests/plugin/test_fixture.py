"""The fixture `energy` with `--energy`: calls, windows, counts, and how it may be misused."""

import pytest


def benchmark(project):
    (found,) = project.json("run.json")["benchmarks"]
    return found


def failed(project, *arguments):
    """Run a test that fails; give what pytest says is the error, and the reason that the benchmark is invalid."""
    result = project.energy("--energy-save=run.json", "--energy-mode=measure", *arguments)
    result.assert_outcomes(failed=1)
    errors = [line.removeprefix("E   ").strip() for line in result.outlines if line.startswith("E   ")]
    return errors[0], benchmark(project)["invalid"]


def test_calling_it_gives_the_last_result_back_and_keeps_each_trial(project):
    project.one_test("assert energy(lambda x, *, y: x + y, 1, y=2) == 3")
    result = project.energy("--energy-save=run.json")
    result.assert_outcomes(passed=1)
    assert [trial["energy_j"]["package-0"] for trial in benchmark(project)["trials"]] == [
        99.4,
        100.7,
        100.0,
        99.9,
        100.3,
        99.8,
    ]


def test_counts_inside_and_after_the_window_belong_to_its_trial(project):
    project.one_test(
        "for trial in energy.trials():\n"
        "    with trial:\n"
        "        trial.add(requests=1, output_tokens=5)\n"
        "    trial.add_usage({'prompt_tokens': 3, 'completion_tokens': 4})"
    )
    project.energy("--energy-save=run.json").assert_outcomes(passed=1)
    assert [trial["work"] for trial in benchmark(project)["trials"]] == [
        {"requests": 2, "input_tokens": 3, "output_tokens": 9}
    ] * 6


def test_where_requests_are_counted_joules_per_request_decide_and_those_per_token_stand_beside(project):
    project.one_test("for trial in energy.trials():\n    with trial:\n        trial.add(requests=4, output_tokens=50)")
    assert project.section(project.energy())[2:4] == [
        "no baseline  test_bench.py::test_it     \N{EN DASH}  25.0 J/request",
        "                                        \N{EN DASH}  2.00 J/token",
    ]


def test_work_outside_the_windows_is_not_in_them(project, live_powercap):
    tree = live_powercap("one")
    project.one_test(
        "import time\n"
        "for trial in energy.trials():\n"
        "    time.sleep(0.3)\n"
        "    with trial:\n"
        "        time.sleep(0.1)\n"
        "    time.sleep(0.3)"
    )
    arguments = ("--energy-meters=rapl", f"--energy-sysfs={tree.root}", "--energy-warmup=0", "--energy-min-time=0.1")
    project.energy(*arguments, "--energy-trials=1", "--energy-save=run.json").assert_outcomes(passed=1)
    (trial,) = benchmark(project)["trials"]
    assert trial["energy_j"]["package-0"] == pytest.approx(50 * trial["duration_s"], rel=0.5)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("for trial in energy.trials():\n    with trial:\n        raise OSError('no server')", "OSError: no server"),
        ("energy(int, 'x')", "ValueError: invalid literal for int() with base 10: 'x'"),
        ("energy(int)\nassert 1 == 2", "assert 1 == 2"),
        (
            "for n, trial in enumerate(energy.trials()):\n    with trial:\n        pass\n    assert n < 6, 'late'",
            "AssertionError: late",
        ),
    ],
)
def test_a_test_that_fails_has_no_valid_benchmark_however_much_it_had_measured(project, body, error):
    project.one_test(body)
    message, invalid = failed(project)
    assert message == error
    kind = error.split(":", 1)[0] if ":" in error else "AssertionError"
    assert invalid == f"the test failed ({kind}), so what it measured does not count. Mend the test."


def test_the_gate_shows_the_failed_test_as_invalid_and_the_others_as_they_are(project):
    project.with_baselines()
    project.write(
        "test_bench.py",
        "def test_encode(energy):\n    energy(int)\n    assert 1 == 2\ndef test_decode(energy):\n    energy(int)\n",
    )
    result = project.energy()
    result.assert_outcomes(passed=1, failed=1)
    assert [line for line in project.section(result) if "test_bench.py" in line] == [
        "invalid  test_bench.py::test_encode   100   100 J   0.0 %",
        "pass     test_bench.py::test_decode   100   100 J   0.0 %  \N{MINUS SIGN}2.7 \N{HORIZONTAL ELLIPSIS} +2.7",
    ]
    assert project.verdict(result) == "energy: FAILED, 1 of 2 benchmarks invalid"


def test_an_expected_failure_does_not_count_as_measured(project):
    project.write(
        "test_bench.py",
        "import pytest\n@pytest.mark.xfail\ndef test_encode(energy):\n    energy(int)\n    assert 1 == 2\n",
    )
    project.energy("--energy-save=run.json").assert_outcomes(xfailed=1)
    assert benchmark(project)["invalid"] == (
        "the test failed as expected (AssertionError), so what it measured does not count. Measure what works."
    )


def test_a_test_that_passes_although_a_failure_was_expected_counts(project):
    project.write("test_bench.py", "import pytest\n@pytest.mark.xfail\ndef test_encode(energy):\n    energy(int)\n")
    project.energy("--energy-save=run.json").assert_outcomes(xpassed=1)
    assert benchmark(project)["invalid"] is None


def test_a_test_that_is_skipped_after_it_measured_does_not_count_as_measured(project):
    project.one_test("energy(int)\npytest.skip('no model')")
    project.energy("--energy-save=run.json").assert_outcomes(skipped=1)
    assert benchmark(project)["invalid"] == (
        "the test was skipped, so what it measured does not count. Skip it before it measures."
    )


@pytest.mark.parametrize("order", ["server, energy", "energy, server"])
def test_a_test_whose_teardown_fails_does_not_count_as_measured(project, order):
    project.write(
        "test_bench.py",
        "import pytest\n@pytest.fixture\ndef server():\n    yield\n    raise OSError('it was dead')\n"
        f"def test_encode({order}):\n    energy(int)\n",
    )
    project.energy("--energy-save=run.json").assert_outcomes(passed=1, errors=1)
    assert benchmark(project)["invalid"] == (
        "the test's teardown failed (OSError), so what it measured does not count. Mend the test."
    )


def test_what_was_measured_while_the_test_was_set_up_does_not_count_if_that_fails(project):
    project.write(
        "test_bench.py",
        "import pytest\n@pytest.fixture\ndef warm(energy):\n    energy(int)\n    raise OSError('no server')\n"
        "def test_encode(warm):\n    pass\n",
    )
    project.energy("--energy-save=run.json").assert_outcomes(errors=1)
    assert benchmark(project)["invalid"] == (
        "the test's setup failed (OSError), so what it measured does not count. Mend the test."
    )


def test_a_failure_of_one_test_says_nothing_of_the_next(project):
    project.write(
        "test_bench.py",
        "import pytest\ndef test_encode(energy):\n    energy(int)\n    assert 1 == 2\n"
        "def test_decode(energy):\n    energy(int)\n",
    )
    project.energy("--energy-save=run.json").assert_outcomes(passed=1, failed=1)
    assert [each["invalid"] is None for each in project.json("run.json")["benchmarks"]] == [False, True]


def test_a_skipped_test_measures_nothing_and_is_missing_if_it_was_stored(project):
    project.with_baselines()
    project.write(
        "test_bench.py",
        "import pytest\ndef test_encode(energy):\n    pytest.skip('no model')\n"
        "def test_decode(energy):\n    energy(int)\n",
    )
    result = project.energy()
    result.assert_outcomes(passed=1, skipped=1)
    assert project.verdict(result) == "energy: INCONCLUSIVE, 2 benchmarks: 1 missing, 1 pass"


ONCE = (
    "test_bench.py::test_it: measured twice in one test. Two benchmarks would share one name. "
    "Use `energy` once per test; split the test, or parametrize it."
)


@pytest.mark.parametrize(
    "body",
    [
        "energy(int)\nenergy(int)",
        "energy(int)\nlist(energy.trials())",
        "for trial in energy.trials():\n    with trial:\n        energy(int)",
    ],
)
def test_measuring_twice_in_one_test_is_an_error(project, body):
    project.one_test(body)
    message, _ = failed(project)
    assert message == f"energygate.errors.EnergyGateError: {ONCE}"


def test_a_trial_that_is_taken_and_never_entered_is_an_error(project):
    project.one_test("for trial in energy.trials():\n    trial.add(requests=1)")
    message, invalid = failed(project)
    assert message == (
        "energygate.errors.EnergyGateError: test_bench.py::test_it: a trial was taken from trials() and never "
        "measured. Write `for trial in energy.trials():` and inside it `with trial:` around the work."
    )
    assert invalid.startswith("the test failed (EnergyGateError)")


def test_a_trial_that_is_entered_twice_is_an_error(project):
    project.one_test("for trial in energy.trials():\n    with trial:\n        pass\n    with trial:\n        pass")
    message, _ = failed(project)
    assert message == (
        "energygate.errors.EnergyGateError: This trial was entered before. Enter each trial of `trials()` once."
    )


@pytest.mark.parametrize(
    ("counts", "error"),
    [
        (
            "tokens=1",
            (
                "TypeError: unknown count 'tokens': one of requests, input_tokens, output_tokens, cached_input_tokens, "
                "reasoning_tokens"
            ),
        ),
        ("requests=-1", "TypeError: requests must be a whole number from 0, not -1"),
        ("requests=1.0", "TypeError: requests must be a whole number from 0, not 1.0"),
        ("requests=True", "TypeError: requests must be a whole number from 0, not True"),
    ],
)
def test_a_count_that_is_none_is_an_error(project, counts, error):
    project.one_test(f"for trial in energy.trials():\n    with trial:\n        trial.add({counts})")
    assert failed(project)[0] == error


EARLY = (
    "measuring ended after 3 of 6 trials. How many count is fixed beforehand: let it run to its end, or ask for fewer."
)


def test_leaving_trials_early_keeps_what_was_measured_and_says_so(project):
    project.one_test(
        "for n, trial in enumerate(energy.trials()):\n    with trial:\n        pass\n    if n == 3:\n        break"
    )
    result = project.energy("--energy-save=run.json")
    assert (len(benchmark(project)["trials"]), benchmark(project)["invalid"]) == (3, None)
    assert project.section(result)[2] == "no baseline  test_bench.py::test_it     \N{EN DASH}   100 J"
    assert f"             note: {EARLY}" in project.section(result)
    assert benchmark(project)["notes"] == [EARLY]


def test_leaving_trials_in_the_one_that_is_the_last_says_nothing(project):
    project.one_test(
        "for n, trial in enumerate(energy.trials(), 1):\n    with trial:\n        pass\n    if n == 7:\n        break"
    )
    project.energy("--energy-save=run.json")
    assert (len(benchmark(project)["trials"]), benchmark(project)["notes"]) == (6, [])


def test_leaving_trials_before_anything_was_measured_is_invalid(project):
    project.one_test("for trial in energy.trials():\n    break")
    result = project.energy()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.section(result)[1:3] == [
        "invalid  test_bench.py::test_it",
        "         no trial counts: measuring ended in the warm-up, or right after it. Let it run to its end.",
    ]


@pytest.mark.parametrize(
    ("warmup", "when"), [(1, "in the warm-up, or right after it"), (0, "before the first was over")]
)
def test_leaving_trials_in_the_warm_up_is_said_where_nothing_is_judged_too(project, warmup, when):
    project.one_test("for trial in energy.trials():\n    break")
    result = project.energy("--energy-mode=measure", f"--energy-warmup={warmup}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.section(result)[1:] == [
        "invalid  test_bench.py::test_it",
        f"         no trial counts: measuring ended {when}. Let it run to its end.",
        "energy: FAILED, nothing valid was measured",
    ]


def test_parametrized_tests_and_methods_are_benchmarks_of_their_own(project):
    project.write(
        "codec/test_all.py",
        "import pytest\n"
        "class TestCodec:\n"
        "    @pytest.mark.parametrize('size', [1, 2])\n"
        "    @pytest.mark.parametrize('kind', ['a b', '[x]::y'])\n"
        "    def test_encode(self, energy, size, kind):\n"
        "        energy(int)\n",
    )
    project.write("windows.jsonl", '{"energy_j": {"package-0": 100.0}, "duration_s": 3.0}\n' * 24)
    project.energy("codec", "--energy-save=run.json").assert_outcomes(passed=4)
    found = project.json("run.json")["benchmarks"]
    assert [each["name"] for each in found] == [
        f"codec/test_all.py::TestCodec::test_encode[{kind}-{size}]" for kind in ("a b", "[x]::y") for size in (1, 2)
    ]
    assert {(each["location"]["file"], each["location"]["line"]) for each in found} == {("codec/test_all.py", 3)}


def test_an_invalid_trial_is_said_at_once_where_pytest_is_verbose(project):
    project.one_test("energy(int)", windows=[100.0])
    said = "test_bench.py::test_it: trial 2 replay_exhausted: windows.jsonl has no line left"
    assert said in project.energy("-v").stderr.str()
    assert said in project.energy("-v", "-p", "no:capture").stderr.str()
    assert said not in project.energy().stderr.str()


def test_a_test_that_runs_twice_in_a_session_is_an_error_and_its_first_measurement_stays(project):
    project.one_test("energy(int)")
    result = project.energy("test_bench.py", "test_bench.py", "--keep-duplicates", "--energy-save=run.json")
    result.assert_outcomes(passed=1, errors=1)
    assert (
        "test_bench.py::test_it was measured before in this session, and a second measurement would replace or mix "
        "the first. Leave out whatever runs a test again: reruns of failed tests, --keep-duplicates."
    ) in result.outlines
    assert len(benchmark(project)["trials"]) == 6


def test_a_test_that_takes_energy_and_measures_nothing_is_invalid(project):
    project.one_test("assert energy is not None")
    result = project.energy("--energy-save=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert benchmark(project)["invalid"] == (
        "the test takes `energy` and measured nothing with it. Call it, or do without it."
    )
    assert project.verdict(result) == "energy: FAILED, 1 of 1 benchmark invalid"


def test_a_coroutine_function_is_an_error_because_calling_it_does_no_work(project):
    project.one_test("async def work(): ...\nenergy(work)")
    result = project.energy()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *test_bench.py::test_it: work is a coroutine function. Calling it does no work yet, so nothing would *"]
    )


def test_a_count_that_comes_too_late_is_an_error_and_not_lost(project):
    project.one_test(
        "last = None\n"
        "for trial in energy.trials():\n"
        "    with trial:\n"
        "        pass\n"
        "    last = trial\n"
        "last.add(requests=1)"
    )
    result = project.energy()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *This trial is recorded already, so what is added now would be lost. Call add before the loop *"]
    )
