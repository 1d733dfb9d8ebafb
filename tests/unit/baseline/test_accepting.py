import datetime as dt

import pytest
from fakes import NAME, STEADY_J, a_benchmark, a_machine, a_run, an_acceptance, some_trials
from msgspec import structs

from energygate.baseline.accepting import accepted_change, awaiting_runs, measured_acceptance, pointing_acceptance
from energygate.errors import BaselineError, ConfigError
from energygate.history.window import WindowRules

RULES = WindowRules(on=dt.date(2026, 11, 25))
ARROW = "\N{RIGHTWARDS ARROW}"


def session(day, factor=1.0, **more):
    return a_run(a_benchmark(trials=some_trials([energy * factor for energy in STEADY_J])), day=day, **more)


def test_a_run_of_a_failing_gate_is_stored_with_the_words_in_it():
    run = session(9, 1.1)
    assert measured_acceptance(run, [an_acceptance()]) == structs.replace(run, accepts=(an_acceptance(),))


def test_a_stored_run_is_accepted_by_one_without_measurements_that_points_to_it():
    run = session(9, 1.1, notes=("a note of its own",))
    accepting = pointing_acceptance([(run, an_acceptance())], run_id="20261120T000000Z-00000000aa")
    assert (accepting.run_id, accepting.started_at) == ("20261120T000000Z-00000000aa", an_acceptance().at)
    assert (accepting.benchmarks, accepting.notes, accepting.machine) == ((), (), run.machine)
    assert accepting.accepts == (structs.replace(an_acceptance(), since=run.run_id),)


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        (a_run(a_benchmark(trials=some_trials(STEADY_J[:4]))), "4 of 5 valid trials."),
        (a_run(a_benchmark(noisy="others used 30 %.")), "others used 30 %."),
        (a_run(a_benchmark(trials=(), invalid="No server answers.")), "No server answers."),
        (session(1, dirty=True), "it was measured with uncommitted changes."),
    ],
)
def test_what_is_no_session_cannot_be_a_level(run, fault):
    for accept in (
        lambda: measured_acceptance(run, [an_acceptance()]),
        lambda: pointing_acceptance([(run, an_acceptance())], run_id=run.run_id),
    ):
        with pytest.raises(BaselineError) as refused:
            accept()
        assert str(refused.value) == (
            f"{NAME}: run {run.run_id} shows no level that could be accepted: {fault} "
            "Later runs would have nothing to be compared with. Measure it again, and accept that run."
        )


def test_a_benchmark_that_the_run_does_not_have_is_refused_with_those_it_has():
    run = a_run(*(a_benchmark(name=f"b{index}") for index in range(12)))
    with pytest.raises(ConfigError) as refused:
        measured_acceptance(run, [an_acceptance(benchmark="c")])
    names = ", ".join(f"b{index}" for index in range(10))
    assert str(refused.value) == f"Run {run.run_id} has no benchmark 'c'. It has {names} and 2 more."


def test_what_is_accepted_is_told_beside_what_was_before():
    stored = [session(day) for day in range(1, 6)]
    said = "by alice on 2026-11-01: a better model"
    assert accepted_change(session(9, 1.1), an_acceptance(), stored, RULES) == (
        f"{NAME}: 100 J {ARROW} 110 J (+10.0 %), {said}"
    )
    risen = [*stored, session(6, 1.08), session(7, 1.12)]
    assert accepted_change(risen[5], an_acceptance(), risen, RULES) == f"{NAME}: 100 J {ARROW} 110 J (+10.0 %), {said}"
    assert accepted_change(session(9, 1.1), an_acceptance(), [], RULES) == f"{NAME}: 110 J, {said}"


def test_the_run_with_which_an_unaccepted_rise_begins_waits_on_each_machine_that_shows_it():
    there = a_machine(fingerprint="ffffffffffff")
    steady = [session(day) for day in range(1, 9)]
    here = [session(day, 1.1 if day > 5 else 1.0, machine=there) for day in range(1, 9)]
    assert [run.run_id for run in awaiting_runs(NAME, [*steady, *here], RULES)] == [here[5].run_id]
    assert list(awaiting_runs("another", [*steady, *here], RULES)) == []


def test_a_machine_that_changed_is_no_increase_that_waits():
    runs = [
        a_run(*(a_benchmark(name=f"b{i}", trials=some_trials([e * factor for e in STEADY_J])) for i in range(5)), day=d)
        for d, factor in enumerate([1.0] * 6 + [1.75] * 3, start=1)
    ]
    assert list(awaiting_runs("b0", runs, RULES)) == []
    alone = [structs.replace(run, benchmarks=run.benchmarks[:1]) for run in runs]
    assert [run.started_at.day for run in awaiting_runs("b0", alone, RULES)] == [7]


def test_a_level_whose_acceptance_expired_waits_to_be_accepted_again():
    expired = structs.replace(an_acceptance(), until=dt.date(2026, 11, 24))
    runs = [session(1), session(2), session(3, 1.01, accepts=(expired,))]
    assert [run.run_id for run in awaiting_runs(NAME, runs, RULES)] == [runs[2].run_id]
