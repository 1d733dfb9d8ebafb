"""`@pytest.mark.energy(…)`."""

import pytest


def marked(project, *arguments, function="def test_encode(energy):\n    energy(int)\n"):
    lines = [f"@pytest.mark.energy({each})\n" for each in arguments]
    project.write("test_bench.py", f"import pytest\n{''.join(lines)}{function}")


def test_trials_and_warmup_are_taken_from_the_marker(project):
    marked(
        project,
        "trials=3, warmup=2",
        function="def test_it(energy):\n    n = 0\n    for trial in energy.trials():\n        with trial:\n"
        "            n += 1\n    assert n == 5\n",
    )
    project.write("windows.jsonl", '{"energy_j": {"package-0": 100.0}, "duration_s": 3.0}\n' * 3)
    result = project.run("--energy", "--energy-meters=replay:windows.jsonl", "--energy-mode=measure")
    result.assert_outcomes(passed=1)
    assert project.section(result)[2:] == [
        "measured  test_bench.py::test_it   100 J  0 %       3  3.00 s",
        "energy: MEASURED, nothing was judged",
    ]


def test_the_budget_of_the_marker_decides(project):
    project.with_baselines()
    marked(project, "budget='60%'")
    project.session(test_encode=1.5)
    result = project.energy("test_bench.py::test_encode")
    assert result.ret == 0
    assert project.section(result)[2] == (
        "pass     test_bench.py::test_encode   100   150 J  +50.0 %  +46.0 \N{HORIZONTAL ELLIPSIS} +54.0"
    )


def test_the_least_effect_of_the_marker_decides(project):
    project.with_baselines()
    marked(project, "budget='60%', min_effect='55%'")
    project.session(test_encode=1.6)
    result = project.energy("test_bench.py::test_encode")
    assert project.verdict(result) == "energy: FAILED, 1 of 1 benchmark regressed"
    marked(project, "budget='51%', min_effect='51%'")
    project.session(test_encode=1.5)
    result = project.energy("test_bench.py::test_encode")
    assert project.verdict(result) == "energy: INCONCLUSIVE, 1 benchmark: 1 suspect"


def test_a_limit_of_the_marker_fails_the_session_without_any_baseline(project):
    marked(project, "limit={'energy_j': 80}")
    result = project.energy()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.section(result)[1:] == [
        "verdict            base  head     change        90 % CI",
        "over limit   test_bench.py::test_encode (limit)",
        "             limit 80.0   100 J  +25.0 %  +19.7 \N{HORIZONTAL ELLIPSIS} +30.6",
        "             100 J is above the limit of 80.0 J.",
        "no baseline  test_bench.py::test_encode",
        "                      \N{EN DASH}   100 J",
        "             no stored run has it yet. Record one on the main branch.",
        "energy: FAILED, 1 of 1 benchmark over limit",
    ]


def test_the_marker_of_a_test_wins_over_that_of_its_class_and_both_count(project):
    marked(
        project,
        "trials=5, warmup=0",
        function="class TestCodec:\n    @pytest.mark.energy(trials=3)\n    def test_it(self, energy):\n        n = 0\n"
        "        for trial in energy.trials():\n            with trial:\n                n += 1\n"
        "        assert n == 3\n",
    )
    project.write("windows.jsonl", '{"energy_j": {"package-0": 100.0}, "duration_s": 3.0}\n' * 5)
    project.run("--energy", "--energy-meters=replay:windows.jsonl").assert_outcomes(passed=1)


ALLOWED = "Allowed here: trials, warmup, min_time, budget, min_effect, limit."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("20", "@pytest.mark.energy takes keyword arguments only"),
        ("n=20", "{}(n=…): unknown argument. Did you mean trials=?"),
        ("trails=20", "{}: trails: unknown key. " + ALLOWED),
        ("trials='20'", "{}: trials: Expected `int | null`, got `str`."),
        ("trials=0", "{}: trials: Expected `int` >= 1."),
        ("warmup=-1", "{}: warmup: Expected `int` >= 0."),
        ("min_time=0", "{}: min_time: Expected `float` > 0.0."),
        ("budget=3", "{}: budget: expected a percentage such as 5%, got 3."),
        ("budget='3'", "{}: budget: expected a percentage such as 5%, got '3'."),
        ("limit=12", "{}: limit: Expected `object`, got `int`."),
        ("limit={'j_per_token': 1}", "{}: limit: Invalid enum value 'j_per_token'."),
        (
            "min_effect='10%'",
            (
                "gate: min_effect 10 %, budget 5 %: an increase must be able to pass before it can fail. "
                "Choose 0 % < min_effect ≤ budget ≤ 100 %."
            ),
        ),
    ],
)
def test_what_the_marker_cannot_mean_is_an_error_of_its_test_before_it_is_measured(project, arguments, message):
    marked(project, arguments, function="def test_encode(energy):\n    raise AssertionError('it ran')\n")
    result = project.energy()
    result.assert_outcomes(errors=1)
    message = message.format("test_bench.py::test_encode: @pytest.mark.energy")
    above_the_summary = [line for line in result.outlines if not line.startswith("ERROR ")]
    assert [line.startswith(message) for line in above_the_summary if message in line] == [True], result.stdout.str()
    assert "it ran" not in result.stdout.str()


def test_a_marker_without_the_fixture_measures_nothing(project):
    marked(project, "trials=3", function="def test_it():\n    pass\n")
    assert project.verdict(project.energy()) == "energy: FAILED, nothing was measured"
