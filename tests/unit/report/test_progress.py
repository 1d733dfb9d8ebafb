from io import StringIO

from fakes import a_trial
from rich.console import Console

from energygate.report.progress import LiveProgress, PlainProgress, Silent

INVALID = a_trial(invalid="too_short: 0.1 s [see docs].")


def test_a_log_gets_a_line_for_each_finished_benchmark_and_each_invalid_trial():
    out = StringIO()
    with PlainProgress(Console(file=out)) as progress:
        progress.trial_done("bench", done=1, wanted=1, trial=None)
        progress.trial_done("bench", done=1, wanted=2, trial=a_trial())
        progress.trial_done("bench", done=1, wanted=2, trial=INVALID)
        progress.trial_done("bench", done=2, wanted=2, trial=a_trial())
    assert out.getvalue() == ("bench: 1 of 2 trials. invalid: too_short: 0.1 s [see docs].\nbench: 2 of 2 trials.\n")


def test_a_long_name_stays_on_one_line_of_a_log():
    out = StringIO()
    with PlainProgress(Console(file=out, width=20)) as progress:
        progress.trial_done("x" * 100, done=1, wanted=1, trial=a_trial())
    assert out.getvalue() == f"{'x' * 100}: 1 of 1 trials.\n"


def test_a_terminal_shows_the_benchmark_and_its_last_trial():
    out = StringIO()
    with LiveProgress(Console(file=out, force_terminal=True, width=200)) as progress:
        progress.trial_done("bench", done=1, wanted=1, trial=None)
        progress.trial_done("bench", done=1, wanted=2, trial=a_trial())
    assert "bench" in out.getvalue()
    assert "100 J in 3.2 s" in out.getvalue()


def test_names_with_markup_are_shown_as_they_are_on_a_terminal():
    out = StringIO()
    with LiveProgress(Console(file=out, force_terminal=True, width=200)) as progress:
        progress.trial_done("test_x[/a]", done=1, wanted=2, trial=INVALID)
    assert "test_x[/a]" in out.getvalue()
    assert "[see docs]" in out.getvalue()


def test_where_nobody_watches_nothing_is_said(capsys):
    Silent().trial_done("bench", done=1, wanted=1, trial=a_trial())
    Silent().waiting("chat: waiting for the server, 30 s of 120 s")
    assert capsys.readouterr() == ("", "")


def test_a_long_wait_is_told_in_a_log_and_on_a_terminal():
    line = "chat: waiting for the server, 30 s of 120 s (503 [Loading] model)"
    for progress_of, terminal in ((PlainProgress, False), (LiveProgress, True)):
        out = StringIO()
        with progress_of(Console(file=out, force_terminal=terminal, width=200)) as progress:
            progress.waiting(line)
        assert line in out.getvalue()
