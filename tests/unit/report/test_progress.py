from io import StringIO

import pytest
from fakes import a_trial
from rich.console import Console

from energygate.report.outlook import Outlook
from energygate.report.progress import LiveProgress, PlainProgress, Silent, Waits

INVALID = a_trial(invalid="too_short: 0.1 s [see docs].")


def plain(*names, width=80):
    """Give a log, and the progress that is written to it."""
    out = StringIO()
    return out, PlainProgress(Console(file=out, width=width), Outlook(dict.fromkeys(names, 3)))


def live(*names):
    """Give a terminal, and the progress that is shown on it."""
    out = StringIO()
    return out, LiveProgress(Console(file=out, force_terminal=True, width=200), Outlook(dict.fromkeys(names, 3)))


def test_a_log_gets_a_line_for_each_finished_benchmark_and_each_invalid_trial():
    out, progress = plain("bench")
    with progress:
        progress.began("bench")
        progress.trial_done("bench", done=1, wanted=1, trial=None)
        progress.trial_done("bench", done=1, wanted=2, trial=a_trial())
        progress.trial_done("bench", done=1, wanted=2, trial=INVALID)
        progress.trial_done("bench", done=2, wanted=2, trial=a_trial())
    assert out.getvalue() == "bench: 1 of 2 trials. invalid: too_short: 0.1 s [see docs].\nbench: 2 of 2 trials.\n"


def test_a_log_of_several_says_which_begins_and_how_long_the_rest_takes():
    out, progress = plain("a", "b")
    with progress:
        progress.began("a")
        for i in range(2):
            progress.trial_done("a", done=i + 1, wanted=2, trial=a_trial(started_s=20.0 * i, duration_s=20))
        progress.began("b")
    assert out.getvalue() == "a: benchmark 1 of 2\na: 2 of 2 trials.\nb: benchmark 2 of 2, about 60 s left\n"


def test_a_log_is_never_silent_for_much_longer_than_a_minute():
    out, progress = plain("bench")
    with progress:
        progress.began("bench")
        for i in range(9):
            progress.trial_done("bench", done=i + 1, wanted=10, trial=a_trial(started_s=25.0 * i, duration_s=25))
    assert out.getvalue() == (
        "bench: 3 of 10 trials, about 3 min left\n"
        "bench: 6 of 10 trials, about 100 s left\n"
        "bench: 9 of 10 trials, about 25 s left\n"
    )


def test_a_long_name_stays_on_one_line_of_a_log():
    out, progress = plain("x" * 100, width=20)
    progress.trial_done("x" * 100, done=1, wanted=1, trial=a_trial())
    assert out.getvalue() == f"{'x' * 100}: 1 of 1 trials.\n"


def test_a_terminal_shows_the_benchmark_its_last_trial_and_the_time_that_is_left():
    out, progress = live("bench")
    with progress:
        progress.began("bench")
        progress.trial_done("bench", done=1, wanted=1, trial=None)
        progress.trial_done("bench", done=1, wanted=2, trial=a_trial())
    assert "getting ready" in out.getvalue()
    assert "1 of 2, 100 J in 3.2 s, about 3 s left" in out.getvalue()


def test_a_terminal_shows_one_bar_for_the_session_and_one_for_the_benchmark_however_many_there_are():
    out, progress = live(*map(str, range(500)))
    with progress:
        for i in range(3):
            progress.began(f"bench-{i}")
            progress.trial_done(f"bench-{i}", done=3, wanted=3, trial=a_trial(started_s=10.0 * i, duration_s=10))
        out.truncate(0)
        progress.waiting("one moment")
    frame = out.getvalue()
    assert "all benchmarks" in frame
    assert "3 of 503" in frame
    assert "bench-2" in frame
    assert "bench-1" not in frame


@pytest.mark.parametrize("shown", [plain, live])
def test_names_are_shown_as_they_are_and_cannot_steer_a_terminal(shown):
    name = "test_x[/a]\x1b[2J"
    out, progress = shown(name, "other")
    with progress:
        progress.began(name)
        progress.trial_done(name, done=1, wanted=2, trial=INVALID)
    assert "test_x[/a]" in out.getvalue()
    assert "[see docs]" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_where_nobody_watches_nothing_is_said(capsys):
    Silent().began("bench")
    Silent().trial_done("bench", done=1, wanted=1, trial=a_trial())
    Silent().waiting("chat: waiting for the server, 30 s of 120 s")
    assert capsys.readouterr() == ("", "")


def test_who_hears_of_waits_alone_hears_of_nothing_else():
    heard = []
    waits = Waits(heard.append)
    waits.began("bench")
    waits.trial_done("bench", done=1, wanted=1, trial=a_trial())
    waits.waiting("one moment")
    assert heard == ["one moment"]


@pytest.mark.parametrize("shown", [plain, live])
def test_a_long_wait_is_told_in_a_log_and_on_a_terminal(shown):
    line = "chat: waiting for the server, 30 s of 120 s (503 [Loading] model)"
    out, progress = shown("chat")
    with progress:
        progress.waiting(line)
    assert line in out.getvalue()
