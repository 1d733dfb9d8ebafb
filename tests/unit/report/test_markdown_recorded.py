"""The summary of a job that records."""

import pytest
from fakes import a_benchmark, a_run, some_trials
from shown_markdown import HEAD, URL, published, rendered

from energygate.report.markdown.recorded import kept_as, not_kept, render_recorded, render_unrecorded

FENCES = "bench.py::test_it[`````\n<img src=x>]"


def test_a_recorded_run_is_summed_up_with_its_commit_its_place_and_its_figures():
    run = a_run(a_benchmark(name="bench.py::test_it", trials=some_trials((100.0, 102.0))))
    assert render_recorded(run, published(), kept=kept_as("git:b/f.json"), doubts=("few trials",)) == (
        "## Energy: 1 benchmark measured\n\n"
        f"At [`{HEAD[:12]}`]({URL}/commit/{HEAD}). It is stored as `git:b/f.json`.\n\n"
        "> [!WARNING]\n> `few trials`\n\n"
        "```text\nmeasured by rapl (package-0) on epyc-7763-2s\n\n"
        "result    benchmark          mean       cv  trials    each\n"
        "measured  bench.py::test_it   101 J  1.4 %       2  3.20 s\n```\n\n"
        f"<sub>measured as `{run.run_id}`</sub>\n"
    )


def test_a_first_session_says_how_many_are_needed_and_one_that_is_enough_does_not():
    few = "It is stored as `b`. Session 1 of the 3 that stored runs need to fail a change."
    assert kept_as("b", session=1, wanted=3) == few
    assert kept_as("b", session=3, wanted=3) == kept_as("b", session=0, wanted=3) == "It is stored as `b`."


def test_no_name_ends_the_block_of_figures():
    run = a_run(a_benchmark(name=FENCES, trials=some_trials()), a_benchmark(trials=some_trials()))
    shown = rendered(render_recorded(run, published(), kept=not_kept("`x` <img src=y>")))
    assert "<h2>Energy: 2 benchmarks measured</h2>" in shown
    assert "<strong>It is not stored.</strong> <code>`x` &lt;img src=y&gt;</code>" in shown
    assert shown.count("<pre") == shown.count("</pre>") == 1
    assert "<img" not in shown


@pytest.mark.parametrize("exit_code", [2, 5])
def test_a_job_that_failed_says_that_nothing_is_stored_and_where_the_reason_is(exit_code):
    assert render_unrecorded(exit_code, published(attempt=2)) == (
        f"## Energy: nothing was recorded: the job leaves with {exit_code}\n\n"
        f"Nothing of [`{HEAD[:12]}`]({URL}/commit/{HEAD}) is stored. [The log of run 123]({URL}/actions/runs/123), "
        "attempt 2, says why.\n"
    )
    assert render_unrecorded(exit_code, published(), why="input setup: `x`.").endswith(
        f"is stored. ``input setup: `x`.`` [The log of run 123]({URL}/actions/runs/123), attempt 1, says more.\n"
    )
