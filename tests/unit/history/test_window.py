import datetime as dt

import pytest
from fakes import COMMIT, NAME, STEADY_J, a_benchmark, a_run, some_trials

from energygate.history.window import WindowRules, baseline_warnings, windows
from energygate.model import Acceptance, Baseline, StoreName

ON = dt.date(2026, 11, 25)
SHORT = COMMIT[:12]


def at(level, **more):
    """A benchmark whose trials lie around a level, in percent of the usual."""
    return a_benchmark(trials=some_trials([energy * level / 100 for energy in STEADY_J]), **more)


def session(day, level=100, **more):
    return a_run(at(level * (1 + (day % 3 - 1) / 500)), day=day, **more)


def accepts(*, day, until=None, since=None, by="alice", benchmark=NAME):
    said_at = dt.datetime(2026, 11, day, 12, tzinfo=dt.UTC)
    return (Acceptance(benchmark=benchmark, by=by, reason="a better model", at=said_at, until=until, since=since),)


def only(*runs, at_base=None, **rules):
    (found,) = windows([a_benchmark()], Baseline(runs=runs, at_base=at_base), WindowRules(**({"on": ON} | rules)))
    return found


def days(found):
    return [each.run.started_at.day for each in found.found]


def rising(first_high, last, *, level=108):
    return [session(day, level if day >= first_high else 100) for day in range(1, last + 1)]


def test_the_newest_sessions_count_newest_first():
    found = only(*(session(day) for day in (3, 14, 1, 12, 11, 10, 9, 8, 7, 6, 5, 4)))
    assert days(found) == [14, 12, 11, 10, 9, 8, 7, 6, 5, 4]
    assert days(only(session(1), session(2), session(3), sessions=2)) == [3, 2]
    assert (found.notes, found.warnings, found.accepted) == ((), (), None)


def test_what_describes_no_commit_or_other_work_or_too_little_of_it_is_no_session():
    runs = [
        session(1),
        session(2, dirty=True),
        a_run(at(100, workload="b" * 64), day=3),
        a_run(at(100, noisy="others used 30 %."), day=4),
        a_run(at(100, invalid="No server answers."), day=5),
        a_run(a_benchmark(trials=some_trials(STEADY_J[:4])), day=6),
        session(7),
    ]
    assert days(only(*runs, left_out=frozenset({session(7).run_id}))) == [1]


def test_a_rise_cuts_the_window_and_is_a_warning_until_somebody_accepts_it():
    found = only(*rising(7, 10))
    assert days(found) == [10, 9, 8, 7]
    assert found.notes == ()
    (warning,) = found.warnings
    assert warning == (
        f"{NAME}: stored sessions are +8.0 % since 2026-11-07 ({SHORT}), and nobody accepted it. "
        "Find the cause, or accept it with `energygate baseline accept`."
    )


def test_a_fall_cuts_the_window_with_a_note_and_no_warning():
    found = only(*rising(7, 10, level=92))
    assert days(found) == [10, 9, 8, 7]
    assert (found.notes, found.warnings) == (
        (f"older sessions don't count: \N{MINUS SIGN}8.0 % since 2026-11-07 ({SHORT})",),
        (),
    )


def test_a_rise_that_was_undone_needs_nobody_to_accept_it():
    undone = [session(day, 108 if 6 <= day <= 10 else 100) for day in range(1, 16)]
    found = only(*undone)
    assert days(found) == [15, 14, 13, 12, 11]
    assert found.warnings == ()


def test_an_accepting_run_starts_the_window_and_is_told_while_it_decides():
    runs = [*(session(day) for day in (1, 2)), session(3, 103, accepts=accepts(day=3)), session(4, 103)]
    found = only(*runs)
    assert days(found) == [4, 3]
    assert found.notes == ("a new level is accepted by alice on 2026-11-03: a better model",)
    assert days(only(*runs, session(5), session(6), sessions=2)) == [6, 5]
    assert only(*runs, session(5), session(6), sessions=2).notes == ()


def test_an_acceptance_with_a_last_day_is_told_until_then_however_many_sessions_follow():
    until = dt.date(2026, 11, 25)
    runs = [session(1), session(2, 103, accepts=accepts(day=2, until=until)), session(3, 103), session(4, 103)]
    found = only(*runs, sessions=2)
    assert days(found) == [4, 3]
    assert found.notes == ("a new level is accepted by alice on 2026-11-02, until 2026-11-25: a better model",)


def test_an_accepted_rise_is_no_warning_wherever_the_run_of_its_pull_request_lies():
    measured = session(5, 108, accepts=accepts(day=5))
    for runs in ([*rising(6, 9), measured], [*rising(8, 12), measured]):
        others = [run for run in runs if run is measured or run.started_at.day != 5]
        found = only(*others)
        assert found.warnings == ()
        assert found.notes == ("a new level is accepted by alice on 2026-11-05: a better model",)


def test_an_accepting_run_of_a_lower_level_does_not_accept_a_later_rise():
    runs = [*rising(8, 12), session(13, accepts=accepts(day=13, benchmark="another"))]
    early = session(4, accepts=accepts(day=4))
    found = only(*(run for run in runs if run.started_at.day != 4), early)
    assert len(found.warnings) == 1


def test_a_pointing_acceptance_starts_the_window_at_a_stored_run():
    runs = rising(7, 10)
    words = a_run(day=11, accepts=accepts(day=11, since=runs[6].run_id))
    found = only(*runs, words)
    assert days(found) == [10, 9, 8, 7]
    assert (found.notes, found.warnings) == (("a new level is accepted by alice on 2026-11-11: a better model",), ())


def test_a_run_that_accepts_counts_for_nothing_else():
    runs = [session(1), session(2, accepts=accepts(day=2, benchmark="another"))]
    assert days(only(*runs)) == [1]
    words = a_run(day=3, accepts=accepts(day=3, since=runs[1].run_id))
    assert days(only(*runs, words)) == [2]


def test_an_acceptance_that_this_change_brings_is_compared_with_alone():
    measured = session(9, 108, accepts=accepts(day=9))
    runs = [*rising(20, 8), session(10), measured]
    at_base = frozenset(run.run_id for run in runs if run is not measured)
    found = only(*runs, at_base=at_base)
    assert days(found) == [9]
    assert (found.accepted.by, f"{found.accepted.ratio:.2f}", found.accepted.is_here) == ("alice", "1.08", True)
    merged = only(*runs, at_base=at_base | {measured.run_id})
    assert (days(merged), merged.accepted) == ([10, 9], None)
    assert only(*runs).accepted is None


def test_an_acceptance_of_what_is_stored_already_is_no_part_of_the_change():
    runs = rising(7, 10)
    words = a_run(day=11, accepts=accepts(day=11, since=runs[6].run_id))
    found = only(*runs, words, at_base=frozenset(run.run_id for run in runs))
    assert (days(found), found.accepted) == ([10, 9, 8, 7], None)


def ids(*runs):
    return frozenset(run.run_id for run in runs)


def test_what_this_change_brings_without_accepting_it_is_no_session():
    merged, brought = [session(day) for day in (1, 2, 3)], [session(day, 130) for day in (4, 5, 6)]
    assert days(only(*merged, *brought, at_base=ids(*merged))) == [3, 2, 1]
    assert only(*merged, *brought, at_base=ids(*merged)).warnings == ()
    assert days(only(*merged, *brought)) == [6, 5, 4]


def test_a_run_that_this_change_brings_and_points_at_is_accepted_here():
    merged, brought = [session(day) for day in (1, 2, 3)], [session(day, 130) for day in (4, 5, 6)]
    words = a_run(day=7, accepts=accepts(day=7, since=brought[1].run_id))
    found = only(*merged, *brought, words, at_base=ids(*merged))
    assert (days(found), found.accepted.is_here) == ([5], True)


SHARED = StoreName(name="git:energy-baselines", is_shared=True, is_given=True)


def shared(*runs):
    newest_first = tuple(sorted(runs, key=lambda run: run.started_at, reverse=True))
    (found,) = windows([a_benchmark()], Baseline(runs=newest_first, store=SHARED), WindowRules(on=ON))
    return found


def test_a_level_that_is_accepted_for_all_branches_and_shown_by_no_later_session_is_compared_with_alone_and_warned_of():
    before, accepting = [session(day) for day in (1, 2, 3)], session(4, 130, accepts=accepts(day=4))
    unmerged = session(5)
    for runs in ((*before, accepting), (*before, accepting, unmerged)):
        found = shared(*runs)
        assert days(found) == [4]
        assert (found.accepted.by, f"{found.accepted.ratio:.2f}", found.accepted.is_here) == ("alice", "1.30", False)
        assert found.warnings == (
            (
                "bench.py::test_encode: ACCEPTED BEFORE THE MERGE: 100 J \N{RIGHTWARDS ARROW} 130 J (+30.0 %) at "
                f"{accepting.source.commit[:12]}, by alice on 2026-11-04: a better model. All branches share "
                "git:energy-baselines, so those without that change are compared with its level too: nothing of this "
                "benchmark is judged until a session of the main branch shows it."
            ),
        )


def test_a_recorded_session_on_the_accepted_level_says_that_it_is_merged_however_it_was_merged():
    before, accepting = [session(day) for day in (1, 2, 3)], session(4, 130, accepts=accepts(day=4))
    found = shared(*before, accepting, session(6, 129, commit="f" * 40))
    assert (days(found), found.accepted, found.warnings) == ([6, 4], None, ())


def test_a_recorded_run_that_is_accepted_after_the_merge_is_ahead_of_nobody():
    recorded = session(4, 130)
    words = a_run(day=5, accepts=accepts(day=5, since=recorded.run_id))
    found = shared(*(session(day) for day in (1, 2, 3)), recorded, words)
    assert (days(found), found.accepted, found.warnings) == ([4], None, ())


def test_a_first_level_that_is_accepted_for_all_branches_is_shown_by_any_later_session():
    accepting = session(4, 130, accepts=accepts(day=4))
    assert (shared(accepting).accepted.ratio, days(shared(accepting))) == (None, [4])
    assert ": ACCEPTED BEFORE THE MERGE: 130 J at " in shared(accepting).warnings[0]
    assert shared(accepting, session(5, 131)).accepted is None


def test_what_a_warning_says_to_type_reads_the_store_that_was_read():
    (said,) = shared(*rising(7, 10)).warnings
    assert said.endswith("accept it with `energygate baseline accept --baselines=git:energy-baselines`.")


@pytest.mark.parametrize("since", ["the run itself", "a stored run"])
def test_an_expired_acceptance_gives_way_to_the_sessions_before_it_and_says_so_loudly(since):
    until = dt.date(2026, 11, 24)
    runs = rising(7, 10)
    if since == "the run itself":
        runs[6] = session(7, 108, accepts=accepts(day=7, until=until))
    else:
        runs.append(a_run(day=11, accepts=accepts(day=11, until=until, since=runs[6].run_id)))
    found = only(*runs)
    said = "by alice on 2026-11-07" if since == "the run itself" else "by alice on 2026-11-11"
    assert days(found) == [6, 5, 4, 3, 2, 1]
    (warning,) = found.warnings
    assert warning == (
        f"{NAME}: ACCEPTANCE EXPIRED on 2026-11-24: {said}, until 2026-11-24: a better model. "
        "The 6 sessions before it count again, those since do not. "
        "Bring the energy down, or accept it anew with `energygate baseline accept`."
    )
    assert only(*runs, on=dt.date(2026, 11, 24)).warnings == ()


def test_an_expired_acceptance_of_a_small_rise_gives_way_too():
    runs = [*(session(day) for day in (1, 2, 3)), session(4, 101.5, accepts=accepts(day=4, until=dt.date(2026, 11, 5)))]
    assert days(only(*runs, session(5, 101.5))) == [3, 2, 1]


def test_sessions_since_an_expired_acceptance_count_where_there_are_none_before_it():
    found = only(session(4, accepts=accepts(day=4, until=dt.date(2026, 11, 5))), session(5))
    assert days(found) == [5, 4]
    assert "No session before it is stored, so those since still count." in found.warnings[0]


def test_an_acceptance_that_was_renewed_has_not_expired():
    runs = rising(7, 10)
    runs[6] = session(7, 108, accepts=accepts(day=7, until=dt.date(2026, 11, 8)))
    runs.append(a_run(day=11, accepts=accepts(day=11, by="bob", since=runs[6].run_id)))
    found = only(*runs)
    assert (days(found), found.warnings) == ([10, 9, 8, 7], ())
    assert found.notes == ("a new level is accepted by bob on 2026-11-11: a better model",)


def test_after_a_fall_an_expired_acceptance_no_longer_matters():
    runs = rising(7, 12)
    runs[6] = session(7, 108, accepts=accepts(day=7, until=dt.date(2026, 11, 12)))
    runs += [session(day) for day in (13, 14, 15, 16)]
    found = only(*runs)
    assert (days(found), found.warnings) == ([16, 15, 14, 13], ())


def test_a_hostile_reason_is_shown_on_one_short_line():
    said = accepts(day=3, by="a\x1b[31m\nb")
    assert only(session(3, accepts=said)).notes[0].startswith("a new level is accepted by a b on ")


def test_a_stale_baseline_is_a_warning_that_names_what_is_stale():
    found = windows(
        [a_benchmark(), a_benchmark(name="fresh")],
        Baseline(runs=(session(1), a_run(a_benchmark(name="fresh"), day=20))),
        WindowRules(on=ON),
    )
    assert baseline_warnings(found, dt.date(2026, 12, 1)) == ()
    (warning,) = baseline_warnings(found, dt.date(2026, 12, 2))
    assert warning == (
        f"stale baseline: the newest stored session of {NAME} is 31 days old, more than 30: "
        "the machine may have changed since. Record a new one on the main branch."
    )


def test_nothing_stored_is_an_empty_window():
    assert windows([], Baseline(), WindowRules(on=ON)) == ()
    assert days(only()) == []
