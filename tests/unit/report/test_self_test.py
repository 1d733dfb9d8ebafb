from energygate.history.self_test import Planted, SelfTest, Share, Spread
from energygate.model import Outcome
from energygate.report.self_test import render_self_test, self_test_document

FEW = Share(level=0.05, found=1, of=20, low=0.00127, high=0.249)
MANY = Share(level=0.01, found=5, of=20, low=0.0866, high=0.491)


def a_test(*shares, sd=0.0145, bound=0.0226, autocorrelation=-0.14, **more):
    spread = Spread(sessions=5, sd=sd, bound=bound, assumed_sd=0.015, autocorrelation=autocorrelation)
    known = {"machine": "epyc-7763-2s", "fingerprint": "0123456789ab", "how": "stored", "benchmarks": 2}
    return SelfTest(**(known | {"shares": shares or (FEW,), "spread": spread} | more))


def rendered(test, *, width=None):
    return render_self_test([test], color=False, width=width)


def test_shares_spread_and_planted_increases_are_told():
    planted = (
        Planted(factor=1.0, outcomes={Outcome.SUSPECT: 1, Outcome.PASS: 19}),
        Planted(factor=1.1, outcomes={Outcome.REGRESSED: 20}),
    )
    assert rendered(a_test(planted=planted)) == (
        "epyc-7763-2s (0123456789ab): 2 benchmarks, 5 sessions, each compared with the others\n"
        "    p < 0.05 in 5 % (95 % CI 0.127 … 24.9), 1 of 20 comparisons\n"
        "    sessions differ by 1.45 %, by no more than 2.26 % with 80 % confidence; gate.session_sd is 1.5%\n"
        "    autocorrelation of neighbouring sessions \N{MINUS SIGN}0.14\n"
        "    nothing planted, 20 comparisons: 5 % suspect, 95 % pass\n"
        "    +10.0 % planted, 20 comparisons: 100 % regressed\n"
    )


def test_in_a_narrow_window_sentences_are_broken_at_their_words():
    assert rendered(a_test(planted=(Planted(factor=1.1, outcomes={Outcome.REGRESSED: 20}),)), width=40) == (
        "epyc-7763-2s (0123456789ab):\n"
        "    2 benchmarks, 5 sessions, each\n"
        "    compared with the others\n"
        "    p < 0.05 in 5 % (95 % CI 0.127 …\n"
        "        24.9), 1 of 20 comparisons\n"
        "    sessions differ by 1.45 %, by no\n"
        "        more than 2.26 % with 80 %\n"
        "        confidence; gate.session_sd is\n"
        "        1.5%\n"
        "    autocorrelation of neighbouring\n"
        "        sessions \N{MINUS SIGN}0.14\n"
        "    +10.0 % planted, 20 comparisons:\n"
        "        100 % regressed\n"
    )


def test_more_alarms_than_promised_are_a_warning_with_what_to_set():
    assert rendered(a_test(MANY)).splitlines()[1:3] == [
        "    p < 0.01 in 25 % (95 % CI 8.66 … 49.1), 5 of 20 comparisons",
        "    warning: more alarms than the 1 % that were promised: set gate.session_sd: 2.26%.",
    ]
    quiet = a_test(MANY, sd=0.005, bound=0.008)
    assert rendered(quiet).splitlines()[2] == (
        "    warning: more alarms than the 1 % that were promised: measure on a quieter machine, or with longer trials."
    )


def test_sessions_that_are_alike_are_a_warning():
    assert rendered(a_test(autocorrelation=0.6)).splitlines()[-1] == (
        "    autocorrelation of neighbouring sessions 0.60; neighbouring sessions are alike, so expect more alarms"
    )


def test_a_commit_interleaved_with_itself_has_no_spread_of_sessions():
    assert rendered(a_test(how="interleaved", spread=None, benchmarks=1)) == (
        "epyc-7763-2s (0123456789ab): 1 benchmark, one commit interleaved with itself\n"
        "    p < 0.05 in 5 % (95 % CI 0.127 … 24.9), 1 of 20 comparisons\n"
    )


def test_the_document_holds_every_machine():
    document = self_test_document([a_test(), a_test()])
    assert (document["schema"], len(document["machines"])) == ("energygate.aa/1", 2)
    assert document["machines"][0]["shares"][0] == {"level": 0.05, "found": 1, "of": 20, "low": 0.00127, "high": 0.249}
