"""Section 4.2 of the design: a completed check run, its annotations in batches of fifty."""

import datetime as dt

import fakes_github_faults as faults
import pytest
from fakes import a_report, a_row
from fakes_github import HEAD_SHA, Token

from energygate.github.checks import Check, conclusion, payloads, publish_check
from energygate.github.written import Fate, Written
from energygate.model import Annotation, Outcome

STARTED = dt.datetime(2026, 11, 26, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def a_note(n=0, **facts):
    known = {"path": "bench.py", "line": n + 1, "level": "failure", "title": f"title {n}", "message": f"message {n}"}
    return Annotation(**known | facts)


def a_check(*annotations, **facts):
    known = {
        "id": "default",
        "head": HEAD_SHA,
        "run": 123,
        "attempt": 2,
        "run_url": "https://github.test/acme/widgets/actions/runs/123",
        "conclusion": "failure",
        "started_at": STARTED,
        "completed_at": STARTED + dt.timedelta(minutes=3),
        "title": "regressed. encode uses +12.5 %",
        "summary": "## Energy",
        "annotations": annotations,
    }
    return Check(**known | facts)


def notes(count):
    return [a_note(n) for n in range(count)]


@pytest.mark.parametrize(
    ("outcomes", "exit_code", "said"),
    [
        ([Outcome.PASS, Outcome.IMPROVED], 0, "success"),
        ([Outcome.PASS, Outcome.INCONCLUSIVE], 0, "neutral"),
        ([Outcome.SUSPECT], 0, "neutral"),
        ([Outcome.NO_BASELINE], 0, "neutral"),
        ([Outcome.INCOMPARABLE], 0, "neutral"),
        ([Outcome.MISSING], 0, "neutral"),
        ([Outcome.INVALID], 0, "neutral"),
        ([Outcome.REGRESSED], 0, "neutral"),
        ([], 0, "neutral"),
        ([Outcome.REGRESSED], 1, "failure"),
        ([Outcome.PASS], 2, "failure"),
        ([Outcome.INCONCLUSIVE], 3, "failure"),
        ([], 5, "failure"),
    ],
)
def test_success_is_for_proven_passes_alone(outcomes, exit_code, said):
    report = a_report(*[a_row(outcome=outcome) for outcome in outcomes], exit_code=exit_code)

    assert conclusion(report) == said
    assert conclusion(report, never_fail=True) == ("neutral" if said == "failure" else said)


def test_the_first_request_has_all_of_a_completed_check_run():
    assert payloads(a_check(a_note())) == (
        {
            "name": "energygate",
            "head_sha": HEAD_SHA,
            "status": "completed",
            "conclusion": "failure",
            "started_at": "2026-11-26T06:00:00Z",
            "completed_at": "2026-11-26T06:03:00Z",
            "external_id": "energygate:123.2:default",
            "details_url": "https://github.test/acme/widgets/actions/runs/123",
            "output": {
                "title": "regressed. encode uses +12.5 %",
                "summary": "## Energy",
                "annotations": [
                    {
                        "path": "bench.py",
                        "start_line": 1,
                        "end_line": 1,
                        "annotation_level": "failure",
                        "title": "title 0",
                        "message": "message 0",
                    }
                ],
            },
        },
    )


@pytest.mark.parametrize(("count", "batches"), [(0, [0]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_annotations_arrive_in_batches_of_fifty_and_in_order(github, hub, count, batches):
    done = publish_check(hub, a_check(*notes(count)))

    (run,) = github.check_runs
    assert [note["title"] for note in run.annotations] == [f"title {n}" for n in range(count)]
    assert [len(request.json["output"]["annotations"]) for request in github.writes] == batches
    assert (run.name, run.status, run.conclusion, run.summary) == ("energygate", "completed", "failure", "## Energy")
    assert done.fate is Fate.CREATED
    assert done.url.startswith(github.url)
    assert done.why == ""


def test_at_most_500_annotations_are_sent_and_the_rest_is_counted(github, hub):
    publish_check(hub, a_check(*notes(503)))

    (run,) = github.check_runs
    assert len(run.annotations) == 500
    assert run.summary == "3 annotations are left out: the JSON report has all.\n\n## Energy"


def test_an_annotation_that_github_cannot_place_does_not_cost_the_others(github, hub):
    lost = [a_note(path="/etc/passwd"), a_note(path="../a.py"), a_note(path=""), a_note(line=0)]
    lost += [a_note(path=f"a{control}b.py") for control in "\n\r\x00"]

    publish_check(hub, a_check(*lost, a_note(path="./sub//bench.py")))

    (run,) = github.check_runs
    assert [note["path"] for note in run.annotations] == ["sub/bench.py"]
    assert run.summary == "7 annotations are left out: the JSON report has all.\n\n## Energy"


def test_one_annotation_left_out_is_said_in_the_singular():
    (payload,) = payloads(a_check(a_note(line=0)))

    assert payload["output"]["summary"] == "1 annotation is left out: the JSON report has all.\n\n## Energy"


def test_texts_are_cut_to_what_github_takes_and_have_no_control_characters():
    long = a_note(title="t\n\x1b[31m\u202e" + "x" * 300, message="one\x00  two\r\n" + "€" * 40_000)
    (payload,) = payloads(a_check(long, title="a\nb" + "x" * 200, summary="s" * 60_001))

    output = payload["output"]
    (note,) = output["annotations"]
    assert output["title"] == "a b" + "x" * 116 + "…"
    assert output["summary"] == "The report is too long to be shown here: see the summary of the run."
    assert note["title"] == "t " + "x" * 252 + "…"
    assert note["message"].startswith("one two\n€€€")
    assert note["message"].endswith("€…")
    assert 65_530 < len(note["message"].encode()) <= 65_536


def test_a_summary_as_long_as_it_may_be_gives_way_only_to_what_is_left_out():
    (whole,) = payloads(a_check(summary="ü" * 30_000))
    (counted,) = payloads(a_check(a_note(line=0), summary="ü" * 30_000))

    assert whole["output"]["summary"] == "ü" * 30_000
    assert counted["output"]["summary"] == (
        "1 annotation is left out: the JSON report has all.\n\n"
        "The report is too long to be shown here: see the summary of the run."
    )


def test_two_ids_have_two_check_runs(github, hub):
    publish_check(hub, a_check())
    publish_check(hub, a_check(id="gpu"))

    assert [run.name for run in github.check_runs] == ["energygate", "energygate/gpu"]


@pytest.mark.parametrize("fault", [faults.reset(), faults.down(502), faults.down(500), faults.slow()])
@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_write_whose_answer_is_lost_leaves_one_check_run_with_each_annotation_once(
    github, hub, fault, is_done, method
):
    hub.session.default_read_timeout = 0.2
    github.fail(faults.lost(fault) if is_done else fault, method=method)

    done = publish_check(hub, a_check(*notes(120)))

    (run,) = github.check_runs
    assert [note["title"] for note in run.annotations] == [f"title {n}" for n in range(120)]
    assert (done.fate, done.why) == (Fate.CREATED, "")
    assert len(github.writes) == (3 if is_done else 4)


def test_a_check_run_of_another_attempt_does_not_stand_for_one_that_was_lost(github, hub):
    publish_check(hub, a_check(attempt=1))
    github.fail(faults.reset(), method="POST")

    publish_check(hub, a_check())

    assert [run.external_id for run in github.check_runs] == ["energygate:123.1:default", "energygate:123.2:default"]


def test_a_personal_token_goes_without(github, hub):
    github.token_kind = Token.PERSONAL

    assert publish_check(hub, a_check(*notes(120))) == Written(
        fate=Fate.REFUSED,
        why="GitHub refused to write the check run (HTTP 403): You must authenticate via a GitHub App. "
        "A personal token cannot write check runs: leave github-token at its default, or set check-run: never.",
    )
    assert len(github.requests) == 1


def test_annotations_that_another_app_may_not_add_are_counted(github, hub):
    github.token_kind = Token.OTHER_APP

    done = publish_check(hub, a_check(*notes(120)))

    assert (done.fate, done.gave_up) == (Fate.CREATED, False)
    assert done.why.startswith("The check run shows 50 of 120 annotations. GitHub refused to write the check run (HTTP")
    assert done.url


def test_a_server_that_goes_down_meanwhile_leaves_what_was_sent_and_is_not_asked_again(github, hub):
    github.then("POST", "/check-runs", lambda: github.fail(faults.down(502), times=100))

    done = publish_check(hub, a_check(*notes(120)))

    assert done == Written(
        fate=Fate.CREATED,
        url=done.url,
        why="The check run shows 50 of 120 annotations. "
        f"GitHub's API at {github.url} answers HTTP 502, 4 times. Run the job again later.",
        gave_up=True,
    )
    assert hub.waits == [1.5, 2.5, 4.5]
    assert len(github.writes) == 2


def test_a_server_that_is_down_is_given_up(github, hub):
    github.fail(faults.down(503), times=100)

    assert publish_check(hub, a_check()) == Written(
        fate=Fate.UNAVAILABLE,
        why=f"GitHub's API at {github.url} answers HTTP 503, 4 times. Run the job again later.",
        gave_up=True,
    )
