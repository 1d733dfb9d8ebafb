import datetime as dt
from dataclasses import replace

from fakes import COMMIT, FIRST_DAY, NAME, STEADY_J, a_benchmark, a_machine, a_meter, a_run, an_acceptance, some_trials

from energygate.history.timeline import WindowRules
from energygate.history.trend import trends

RULES = WindowRules(on=dt.date(2026, 11, 25))


def session(day, factor=1.0, name=NAME, **more):
    return a_run(a_benchmark(name=name, trials=some_trials([e * factor for e in STEADY_J])), day=day, **more)


def test_each_session_is_told_with_its_value_and_whether_it_counts():
    runs = [session(day) for day in (2, 1, 3)]
    (trend,) = trends(runs, WindowRules(on=RULES.on, sessions=2))
    assert (trend.benchmark, trend.machine, trend.fingerprint) == (NAME, "epyc-7763-2s", "0123456789ab")
    assert [(entry.at.day, entry.commit, entry.trials, entry.counts) for entry in trend.entries] == [
        (1, COMMIT, 5, False),
        (2, COMMIT, 5, True),
        (3, COMMIT, 5, True),
    ]
    assert [round(entry.value, 2) for entry in trend.entries] == [100.12] * 3
    assert (trend.others, trend.warnings, trend.label) == (0, (), "")


def test_a_change_stands_at_its_first_session_and_says_whether_somebody_accepted_it():
    runs = [session(day, 1.1 if day > 6 else 1.0) for day in range(1, 11)]
    (trend,) = trends(runs, RULES)
    (change,) = [entry.change for entry in trend.entries if entry.change]
    assert trend.entries[6].change == change
    assert (round(change.ratio, 4), change.is_certain, change.is_accepted) == (1.1, True, False)
    accepted = [*runs[:6], session(7, 1.1, accepts=(an_acceptance(),)), *runs[7:]]
    (trend,) = trends(accepted, RULES)
    assert trend.entries[6].change == replace(change, is_accepted=True)
    assert trend.entries[6].accepted == (an_acceptance(),)


def test_what_is_only_possible_is_told_apart():
    (trend,) = trends([session(day, 1.033 if day > 8 else 1.0) for day in range(1, 11)], RULES)
    (change,) = [entry.change for entry in trend.entries if entry.change]
    assert (change.is_certain, trend.warnings) == (False, ())
    assert all(entry.counts for entry in trend.entries)


def test_a_certain_change_is_not_shown_once_more_as_a_possible_one_beside_it():
    levels = [1.0, 1.003, 0.998, 1.001, 0.999, 1.0, 1.045, 1.1, 1.098, 1.102, 1.1, 1.099]
    (trend,) = trends([session(day, level) for day, level in enumerate(levels, start=1)], RULES)
    assert [entry.change.is_certain for entry in trend.entries if entry.change] == [True]


def in_five(day, factor=1.0):
    trials = some_trials([energy_j * factor for energy_j in STEADY_J])
    return a_run(*(a_benchmark(name=f"b{i}", trials=trials) for i in range(5)), day=day)


def test_a_run_in_which_the_machine_had_changed_is_shown_and_neither_counts_nor_changes_the_level():
    runs = [in_five(day, 1.75 if day == 4 else 1.0) for day in range(1, 8)]
    for trend in (*trends(runs, RULES), *trends(runs, RULES, name="b3")):
        assert [entry.at.day for entry in trend.entries] == [1, 2, 3, 4, 5, 6, 7]
        assert [entry.at.day for entry in trend.entries if entry.is_shifted] == [4]
        assert [entry.at.day for entry in trend.entries if entry.counts] == [1, 2, 3, 5, 6, 7]
        assert not any(entry.change for entry in trend.entries)
        assert (trend.others, trend.warnings) == (0, ())


def test_a_machine_that_stays_changed_is_a_warning_and_its_sessions_alone_count():
    runs = [in_five(day, 1.75 if day > 4 else 1.0) for day in range(1, 8)]
    for trend in trends(runs, RULES):
        assert [entry.at.day for entry in trend.entries if entry.counts] == [5, 6, 7]
        (warning,) = trend.warnings
        assert warning.startswith("stored runs differ by +75.0 % throughout since 2026-11-05 (0123456789ab): ")


def test_one_benchmark_may_be_asked_for_and_machines_stay_apart():
    there = a_machine(fingerprint="ffffffffffff")
    runs = [session(1), session(2, name="another"), session(3, machine=there)]
    assert [(t.benchmark, t.fingerprint) for t in trends(runs, RULES)] == [
        (NAME, "ffffffffffff"),
        ("another", "0123456789ab"),
        (NAME, "0123456789ab"),
    ]
    assert [t.fingerprint for t in trends(runs, RULES, name=NAME)] == ["ffffffffffff", "0123456789ab"]
    assert trends(runs, RULES, name="none") == ()


def test_runs_that_are_no_session_are_counted_and_estimates_are_labelled():
    estimate = (a_meter(name="estimate", kind="estimate"),)
    runs = [session(1, meters=estimate), session(2, dirty=True, meters=estimate)]
    (trend,) = trends(runs, RULES)
    assert (len(trend.entries), trend.others, trend.label) == (1, 1, "estimate")
    assert trend.entries[0].at == FIRST_DAY
