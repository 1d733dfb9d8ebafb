from fakes import NAME

from energygate.history.plan import BenchmarkPlan
from energygate.report.plan import plan_document, render_plan


def a_plan(**more):
    known = {"benchmark": NAME, "effect": 0.03, "budget": 0.03, "found_sessions": 5, "trial_sd": 0.012}
    known |= {"session_sd": 0.018, "blocks": 12, "detectable_interleaved": 1.026, "sessions": 8}
    return BenchmarkPlan(**(known | {"detectable_stored": 1.041, "useful_trials": 3} | more))


def rendered(*plans, width=None):
    return render_plan(plans, machine="epyc-7763-2s", power=0.9, color=False, width=width)


def test_a_plan_says_what_it_takes_and_what_is_found_as_it_is():
    assert rendered(a_plan()) == (
        "to find +3.0 % in 90 % of cases on epyc-7763-2s; every figure is about, from the noise of the stored runs\n"
        f"{NAME}\n"
        "    trials differ by 1.2 %, 5 sessions by 1.8 %\n"
        "    interleaved: about 12 blocks; as it is set, +2.6 % is found\n"
        "    stored: about 8 sessions; with the 5 that count today, +4.1 % is found\n"
        "    beyond about 3 trials a session, more of them make no stored comparison finer\n"
    )


def test_what_cannot_be_reached_says_not_this_way():
    lines = rendered(
        a_plan(blocks=None, sessions=None, session_sd=None, found_sessions=1, detectable_stored=None, useful_trials=1)
    ).splitlines()
    assert lines[2:] == [
        "    trials differ by 1.2 %; one session does not say how much sessions differ",
        "    interleaved: not this way, 400 blocks are too few; as it is set, +2.6 % is found",
        "    stored: not this way, 50 sessions are too few; fewer than 3 sessions can fail nothing",
        "    beyond about 1 trial a session, more of them make no stored comparison finer",
    ]


def test_a_budget_that_is_larger_than_the_increase_has_to_be_lowered():
    last = rendered(a_plan(budget=0.05)).splitlines()[-1]
    assert last == "set gate.budget to 3 % or less: an increase proven smaller than the budget passes"
    last = rendered(a_plan(budget=0.05), a_plan()).splitlines()[-1]
    assert last.startswith("set the budget of 1 of these benchmarks to 3 % or less: ")


def test_in_a_narrow_window_sentences_are_broken_at_their_words():
    assert rendered(a_plan(budget=0.05), width=40).splitlines() == [
        "to find +3.0 % in 90 % of cases on",
        "    epyc-7763-2s; every figure is about,",
        "    from the noise of the stored runs",
        NAME,
        "    trials differ by 1.2 %, 5 sessions",
        "        by 1.8 %",
        "    interleaved: about 12 blocks; as it",
        "        is set, +2.6 % is found",
        "    stored: about 8 sessions; with the",
        "        5 that count today, +4.1 % is",
        "        found",
        "    beyond about 3 trials a session,",
        "        more of them make no stored",
        "        comparison finer",
        "set gate.budget to 3 % or less: an",
        "    increase proven smaller than the",
        "    budget passes",
    ]


def test_the_document_names_the_machine():
    document = plan_document([a_plan()], machine="epyc-7763-2s", fingerprint="0123456789ab")
    assert (document["machine"], document["fingerprint"]) == ("epyc-7763-2s", "0123456789ab")
    assert document["benchmarks"][0]["blocks"] == 12
