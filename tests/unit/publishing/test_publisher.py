"""What a pull request, a merge queue and a branch are shown, and what happens where GitHub refuses."""

import socket
from itertools import count

import fakes_github_faults as faults
import pytest
from fakes import NAME, a_report, a_row
from fakes_github import HEAD_SHA, Token
from fakes_github_http import Answer
from fakes_hub import START_S
from shown_markdown import cells_of

from energygate.github.comment import How, When
from energygate.github.inputs import CheckRunWhen
from energygate.model import Location, Outcome
from energygate.report.markdown import render_markdown, render_summary
from energygate.report.publication import Publication

NEWER = "0123456789abcdef0123456789abcdef01234567"
WIDGETS = "https://github.com/acme/widgets"
PUBLICATION = Publication(
    repository_url=WIDGETS, run_url=f"{WIDGETS}/actions/runs/123", run_id=123, attempt=1, head=HEAD_SHA
)
MARKER = (
    "<!-- energygate:v1:default -->\n"
    f'<!-- energygate:run {{"head":"{HEAD_SHA}","run":123,"attempt":1,"verdict":"regressed","seen":[]}} -->\n'
)
REGRESSED = a_report(
    a_row(outcome=Outcome.REGRESSED, ratio=1.2, location=Location(file="bench.py", line=7)),
    exit_code=1,
    verdict="failed",
)
PASSED = a_report(a_row())
PERMISSION = (
    "The token of a fork's or Dependabot's run can only read, whatever the job asks for: docs/github.md says how to "
    "publish for those."
)
NO_CHECK = (
    "GitHub refused to write the check run (HTTP 403): Resource not accessible by integration. Give the job "
    f"`permissions: checks: write`. {PERMISSION}"
)
NO_COMMENT = (
    "GitHub refused to write the comment (HTTP 403): Resource not accessible by integration. Give the job "
    f"`permissions: pull-requests: write`. {PERMISSION}"
)
NOT_ALL = "::warning title=energygate%3A not all is published::"
ERROR = "::error file=bench.py,line=7,title=regressed%3A bench.py%3A%3Atest_encode +20.0 %25::"


def many(count, outcome=Outcome.REGRESSED):
    return [
        a_row(outcome=outcome, benchmark=f"{NAME}[{n}]", location=Location(file="bench.py", line=n + 1))
        for n in range(count)
    ]


def test_a_regression_is_shown_everywhere_and_once(job, github):
    job.publish(REGRESSED)
    (check,) = github.check_runs
    (comment,) = github.comments(7)
    assert job.summary == render_summary(REGRESSED, PUBLICATION)
    assert comment.body == MARKER + render_markdown(REGRESSED, PUBLICATION)
    assert {name: getattr(check, name) for name in ("name", "head_sha", "conclusion", "external_id")} == {
        "name": "energygate",
        "head_sha": HEAD_SHA,
        "conclusion": "failure",
        "external_id": "energygate:123.1:default",
    }
    assert (check.title, check.details_url) == (
        "regressed. bench.py::test_encode uses 20.0 % more joules",
        f"{WIDGETS}/actions/runs/123",
    )
    assert (check.started_at, check.completed_at) == ("2026-11-22T03:15:00Z", "2026-11-22T04:00:00Z")
    assert check.summary == render_markdown(REGRESSED, PUBLICATION)
    assert [(each["path"], each["start_line"], each["annotation_level"]) for each in check.annotations] == [
        ("bench.py", 7, "failure")
    ]
    assert job.outputs == {"comment-url": f"{github.url}/acme/widgets/pull/7#issuecomment-{comment.id}"}
    assert job.log == []


def test_the_summary_comes_first_then_the_check_run_the_comment_and_the_outputs(job, github):
    seen = []
    for method, path in (("POST", "/check-runs"), ("POST", "/comments")):
        github.then(method, path, lambda: seen.append((bool(job.summary), job.outputs)))
    job.publish(REGRESSED)
    assert seen == [(True, {}), (True, {})]
    assert github.asked == [
        "POST /check-runs",
        "GET /pulls/7",
        "GET /issues/7/comments?per_page=100",
        "POST /issues/7/comments",
    ]


def test_annotations_as_commands_come_before_the_comment(job, github):
    told = []
    github.then("GET", "/pulls/7", lambda: told.extend(job.log))
    job.publish(REGRESSED, inputs={"check_run": CheckRunWhen.NEVER})
    assert told == job.log
    assert len(told) == 1
    assert told[0].startswith(ERROR)


def test_the_next_push_updates_the_comment_behind_120_of_others_and_makes_a_check_run_of_its_own(job, github):
    github.foreign_comments(7, 120)
    job.publish(REGRESSED)
    ((first),) = github.ours(7)
    github.pulls[7].head_sha = NEWER
    job.publish(PASSED, commit=NEWER, run_id=124)
    (second,) = github.ours(7)
    assert first.partition("\n## ")[2].startswith("Energy: regressed. ")
    assert second.partition("\n## ")[2].startswith("Energy: no regression found\n")
    assert [(check.head_sha, check.conclusion) for check in github.check_runs] == [
        (HEAD_SHA, "failure"),
        (NEWER, "success"),
    ]
    assert len(github.comments(7)) == 121


def test_where_all_pass_there_is_a_green_check_run_and_no_comment(job, github):
    job.publish(PASSED)
    assert [check.conclusion for check in github.check_runs] == ["success"]
    assert github.comments(7) == []
    assert job.outputs == {"comment-url": ""}


@pytest.mark.parametrize(
    ("outcome", "exit_code", "conclusion"),
    [
        (Outcome.INCONCLUSIVE, 0, "neutral"),
        (Outcome.INCONCLUSIVE, 3, "failure"),
        (Outcome.NO_BASELINE, 0, "neutral"),
        (Outcome.INCOMPARABLE, 0, "neutral"),
        (Outcome.MISSING, 0, "neutral"),
        (Outcome.NO_BASELINE, 4, "failure"),
        (Outcome.INCOMPARABLE, 4, "failure"),
        (Outcome.MISSING, 4, "failure"),
        (Outcome.IMPROVED, 0, "success"),
        (Outcome.INVALID, 5, "failure"),
    ],
)
def test_what_is_no_proven_pass_is_never_green_and_its_reason_is_shown(job, github, outcome, exit_code, conclusion):
    job.publish(a_report(a_row(outcome=outcome, reason="the reason why"), exit_code=exit_code, verdict="inconclusive"))
    (check,) = github.check_runs
    assert check.conclusion == conclusion
    for text in (check.summary, job.summary, github.ours(7)[0]):
        assert "the reason why" in text


def test_a_selection_that_ran_nothing_fails_the_check_run(job, github):
    job.publish(a_report(exit_code=5, verdict="failed"))
    (check,) = github.check_runs
    assert (check.conclusion, check.title) == ("failure", "nothing valid was measured: no benchmark ran")


@pytest.mark.parametrize(
    ("exit_code", "title"),
    [
        (2, "nothing was judged: the job leaves with 2"),
        (5, "nothing valid was measured: the job leaves with 5"),
    ],
)
def test_a_job_without_a_report_fails_its_check_run_and_says_so_in_the_comment(job, github, exit_code, title):
    job.publish(None, exit_code=exit_code)
    (check,) = github.check_runs
    (comment,) = github.ours(7)
    assert (check.conclusion, check.title, check.annotations) == ("failure", title, [])
    assert (check.started_at, check.completed_at) == ("2026-11-22T04:00:00Z", "2026-11-22T04:00:00Z")
    assert '"verdict":"nothing measured"' in comment
    for text in (comment, job.summary, check.summary):
        assert f"## Energy: {title}\n\nThere is no report of [`{HEAD_SHA[:12]}`]" in text


def test_a_job_that_fails_although_its_figures_pass_is_red_and_says_that_they_are_not_why(job, github):
    job.publish(PASSED, exit_code=2)
    (check,) = github.check_runs
    assert (check.conclusion, check.title) == ("failure", "the job leaves with 2; no regression found")
    why = "> `the job leaves with 2, for another reason than these figures: its log says which`"
    for text in (check.summary, job.summary, github.ours(7)[0]):
        assert why in text.splitlines()
    assert '"verdict":"failed"' in github.ours(7)[0]


@pytest.mark.parametrize("report", [REGRESSED, None])
def test_with_never_fail_the_check_run_is_neutral_whatever_there_is(job, github, report):
    job.publish(report, exit_code=1, never_fail=True)
    assert [check.conclusion for check in github.check_runs] == ["neutral"]


def test_inputs_switch_off_each_place_by_itself(job, github):
    job.publish(REGRESSED, inputs={"summary": False})
    assert job.summary == ""
    job.publish(REGRESSED, inputs={"annotations": False}, run_id=124)
    assert [len(check.annotations) for check in github.check_runs] == [1, 0]
    job.publish(REGRESSED, inputs={"annotations": False, "check_run": CheckRunWhen.NEVER}, run_id=125)
    assert (len(github.check_runs), job.log) == (2, [])
    job.publish(REGRESSED, inputs={"comment": When.NEVER}, run_id=126)
    assert '"run":125' in github.ours(7)[0]
    job.publish(REGRESSED, inputs={"comment_mode": How.NEW}, run_id=127)
    job.publish(PASSED, inputs={"comment": When.ALWAYS, "id": "other"}, run_id=128)
    assert [body.partition("\n")[0] for body in github.ours(7)] == [
        "<!-- energygate:v1:default -->",
        "<!-- energygate:v1:default -->",
        "<!-- energygate:v1:other -->",
    ]


def test_without_a_token_nothing_is_asked_and_the_runner_annotates(job, github):
    job.publish(REGRESSED, hub=None)
    assert github.requests == []
    assert job.summary == render_summary(REGRESSED, PUBLICATION)
    assert len(job.log) == 1
    assert job.log[0].startswith(ERROR)
    assert job.outputs == {"comment-url": ""}


def test_a_token_that_may_only_read_leaves_summary_and_annotations_and_one_warning_that_names_the_permissions(
    job, github
):
    github.token_kind = Token.READ_ONLY
    job.publish(REGRESSED)
    assert (github.check_runs, github.comments(7), job.hub.waits) == ([], [], [])
    assert len(job.told("error")) == 1
    assert job.told("warning") == [f"{NOT_ALL}{NO_CHECK}%0A{NO_COMMENT}"]
    assert job.summary == render_summary(REGRESSED, PUBLICATION) + (
        f"\n> [!WARNING]\n> - ``{NO_CHECK}``\n> - ``{NO_COMMENT}``\n"
    )
    assert job.outputs == {"comment-url": ""}


def test_a_personal_token_comments_and_there_is_no_check_run(job, github):
    github.token_kind = Token.PERSONAL
    github.login = "alice"
    job.publish(REGRESSED, inputs={"comment_author": "alice"})
    assert (len(github.ours(7)), github.check_runs) == (1, [])
    (warning,) = job.told("warning")
    assert warning == (
        f"{NOT_ALL}GitHub refused to write the check run (HTTP 403): You must authenticate via a GitHub App. A "
        "personal token cannot write check runs: leave github-token at its default, or set check-run: never."
    )
    assert len(job.told("error")) == 1


def test_what_the_summary_may_not_say_is_still_one_warning(job, github):
    github.token_kind = Token.READ_ONLY
    job.publish(REGRESSED, inputs={"summary": False})
    assert (job.summary, len(job.told("warning"))) == ("", 1)


def test_runner_files_that_cannot_be_written_cost_nothing_else(job, github, tmp_path):
    for file in (job.summary_file, job.output_file):
        file.symlink_to(tmp_path / "elsewhere")
    job.publish(REGRESSED)
    assert (len(github.check_runs), len(github.ours(7))) == (1, 1)
    assert not (tmp_path / "elsewhere").exists()
    refusal = "Too many levels of symbolic links. The runner reads the results there. Make room there."
    assert job.log == [
        f"{NOT_ALL}Cannot write {tmp_path}/summary: {refusal}%0ACannot write {tmp_path}/output: {refusal}"
    ]


@pytest.mark.parametrize("fault", [faults.down(), faults.down(500), faults.html(), faults.html(200), faults.reset()])
def test_a_github_that_cannot_be_asked_is_asked_no_more_and_costs_less_than_a_minute(job, github, fault):
    github.fail(fault, times=1000)
    job.publish(REGRESSED)
    assert {each.path for each in github.requests} <= {
        "/repos/acme/widgets/check-runs",
        f"/repos/acme/widgets/commits/{HEAD_SHA}/check-runs",
    }
    assert sum(job.hub.waits) < 60
    assert len(job.told("error")) == 1
    (warning,) = job.told("warning")
    assert warning.startswith(f"{NOT_ALL}The check run may be missing or out of date: GitHub's API at {github.url} ")
    assert warning.endswith("%0AThe comment is as it was: nothing more was asked of GitHub.")
    assert job.summary.startswith(render_summary(REGRESSED, PUBLICATION))
    assert "nothing more was asked of GitHub" in job.summary
    assert job.outputs == {"comment-url": ""}


def test_a_github_that_is_silent_costs_less_than_a_minute_all_in_all(job, github, connect):
    seconds = count(0, 20)  # each request takes as long as an answer may
    job.hub = connect(clock=lambda: next(seconds))
    assert job.hub.session.default_read_timeout == 20
    job.hub.session.default_read_timeout = 0.1
    github.fail(faults.slow(), times=1000)
    job.publish(REGRESSED)
    assert (len(job.told("error")), job.hub.waits) == (1, [])
    (warning,) = job.told("warning")
    assert warning == (
        f"{NOT_ALL}The check run may be missing or out of date: GitHub's API at {github.url} is silent (ReadTimeout), "
        "for 40 s. Run the job again later.%0AThe comment is as it was: nothing more was asked of GitHub."
    )


def test_a_github_that_is_not_there_is_named_and_the_runner_annotates(job, connect):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        job.hub = connect(url=url)
        job.publish(REGRESSED)
    assert job.hub.waits == [1.5, 2.5, 4.5]
    assert len(job.told("error")) == 1
    (warning,) = job.told("warning")
    assert warning == (
        f"{NOT_ALL}The check run may be missing or out of date: GitHub's API at {url} is silent (ConnectionError: "
        "Connection refused), 4 times. Run the job again later.%0AThe comment is as it was: nothing more was asked of "
        "GitHub."
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.exhausted(int(START_S) + 3600), "limits the rate (HTTP 403) and wants 3600 s of waiting"),
        (faults.retry_after(600, 429), "limits the rate (HTTP 429) and wants 600 s of waiting"),
    ],
)
def test_a_rate_limit_that_lasts_longer_than_a_job_may_wait_is_one_warning_and_no_wait(job, github, fault, said):
    github.fail(fault, times=1000)
    job.publish(REGRESSED)
    assert (github.asked, job.hub.waits) == (["POST /check-runs"], [])
    assert len(job.told("error")) == 1
    (warning,) = job.told("warning")
    assert warning == (
        f"{NOT_ALL}The check run may be missing or out of date: GitHub's API at {github.url} {said}, where 180 s are "
        "left. Run the job again later.%0AThe comment is as it was: nothing more was asked of GitHub."
    )


def test_a_rate_limit_that_begins_behind_the_check_run_costs_the_comment_alone(job, github):
    github.fail(faults.retry_after(600), path="/comments", times=1000)
    job.publish(REGRESSED)
    assert [check.conclusion for check in github.check_runs] == ["failure"]
    (warning,) = job.log
    assert warning == (
        f"{NOT_ALL}The comment may be missing or out of date: GitHub's API at {github.url} limits the rate (HTTP 403) "
        "and wants 600 s of waiting, where 180 s are left. Run the job again later."
    )


def test_a_commit_that_github_does_not_know_has_no_check_run_and_its_pull_request_a_comment(job, github):
    unknown = Answer(422, {"message": f"No commit found for SHA: {HEAD_SHA}"})
    github.fail(faults.Fault(unknown, is_contract=False), method="POST", path="/check-runs")
    job.publish(REGRESSED)
    assert (len(github.ours(7)), len(job.told("error")), job.hub.waits) == (1, 1, [])
    (warning,) = job.told("warning")
    assert warning == (
        f"{NOT_ALL}GitHub refused to write the check run (HTTP 422): No commit found for SHA: {HEAD_SHA}. Mend what "
        "GitHub names."
    )


def test_a_comment_whose_answer_is_lost_is_there_once(job, github):
    github.fail(faults.lost(faults.down()), method="POST", path="/comments")
    job.publish(REGRESSED)
    assert len(github.ours(7)) == 1
    assert job.outputs["comment-url"].endswith(f"#issuecomment-{github.comments(7)[0].id}")
    assert job.log == []


def test_an_enterprise_server_is_asked_below_its_own_root_and_linked_to_at_its_own_address(job, github, connect):
    job.hub = connect(url=github.enterprise_url)
    job.publish(REGRESSED, server_url="https://ghe.example")
    assert [each.target for each in github.requests] == [
        "/api/v3/repos/acme/widgets/check-runs",
        "/api/v3/repos/acme/widgets/pulls/7",
        "/api/v3/repos/acme/widgets/issues/7/comments?per_page=100",
        "/api/v3/repos/acme/widgets/issues/7/comments",
    ]
    assert f"](https://ghe.example/acme/widgets/commit/{HEAD_SHA})" in github.ours(7)[0]
    assert "https://github.com" not in github.ours(7)[0] + job.summary


def test_120_annotations_all_arrive_in_the_check_run(job, github):
    job.publish(a_report(*many(120), exit_code=1, verdict="failed"))
    (check,) = github.check_runs
    assert [each["start_line"] for each in check.annotations] == list(range(1, 121))
    assert github.asked[:3] == ["POST /check-runs", f"PATCH /check-runs/{check.id}", f"PATCH /check-runs/{check.id}"]
    assert job.log == []


def test_without_a_check_run_the_runner_is_given_what_it_keeps_of_each_level(job):
    rows = [*many(60), *many(60, Outcome.INCONCLUSIVE)]
    job.publish(a_report(*rows, exit_code=1, verdict="failed"), inputs={"check_run": CheckRunWhen.NEVER})
    assert [len(job.told(level)) for level in ("error", "warning", "notice")] == [10, 10, 0]
    assert job.told("error")[-1] == "::error title=energygate::and 51 more, see the summary"
    assert job.told("warning")[-1] == "::warning title=energygate::and 51 more, see the summary"


def test_the_warning_about_a_refusal_is_among_the_ten_that_the_runner_keeps(job, github):
    github.token_kind = Token.READ_ONLY
    job.publish(a_report(*many(60, Outcome.INCONCLUSIVE)))
    assert len(job.told("warning")) == 10
    assert job.told("warning")[-2] == "::warning title=energygate::and 52 more, see the summary"
    assert job.told("warning")[-1].startswith(NOT_ALL)


def test_a_head_that_has_moved_meanwhile_gets_no_comment_and_a_notice_instead(job, github):
    github.pulls[7].head_sha = NEWER
    job.publish(REGRESSED)
    assert (github.comments(7), [check.head_sha for check in github.check_runs]) == ([], [HEAD_SHA])
    (notice,) = job.log
    assert notice == (
        "::notice title=energygate::Superseded: the pull request is at 0123456789ab now, and this is about "
        "f5410108c2ab. Nothing was written."
    )


def test_an_older_attempt_that_ends_late_overwrites_nothing(job, github):
    job.publish(REGRESSED, attempt=2)
    (newer,) = github.ours(7)
    job.publish(PASSED, attempt=1)
    assert github.ours(7) == [newer]
    (notice,) = job.log
    assert notice == (
        "::notice title=energygate::Superseded: run 123, attempt 2 has commented on the same commit already. Nothing "
        "was written."
    )


def test_a_later_attempt_shows_what_the_earlier_ones_found(job, github):
    job.publish(REGRESSED)
    job.publish(None, exit_code=2, attempt=2)
    job.publish(PASSED, attempt=3)
    (comment,) = github.ours(7)
    assert "This is attempt 3; earlier: regressed, nothing measured." in comment
    assert "earlier" not in github.check_runs[-1].summary


def test_a_later_attempt_has_a_check_run_of_its_own_since_annotations_cannot_be_taken_away(job, github):
    job.publish(REGRESSED)
    job.publish(PASSED, attempt=2)
    assert [(check.external_id, check.conclusion, len(check.annotations)) for check in github.check_runs] == [
        ("energygate:123.1:default", "failure", 1),
        ("energygate:123.2:default", "success", 0),
    ]
    assert {check.head_sha for check in github.check_runs} == {HEAD_SHA}
    assert len(github.ours(7)) == 1


def test_a_comment_that_is_deleted_before_it_can_be_updated_is_written_anew(job, github):
    github.comment(7, "of a deleted user", login=None)
    job.publish(REGRESSED)
    ours = github.comments(7)[-1]
    github.then("GET", "/issues/7/comments", lambda: github.delete_comment(ours.id))
    job.publish(REGRESSED, run_id=124)
    (body,) = github.ours(7)
    assert '"run":124' in body
    assert job.log == []


def test_two_ids_have_a_comment_and_a_check_run_each(job, github):
    for number, name in enumerate(("cpu", "gpu", "cpu", "gpu"), start=123):
        job.publish(REGRESSED, inputs={"id": name}, run_id=number)
    assert [body.partition("\n")[0] for body in github.ours(7)] == [
        "<!-- energygate:v1:cpu -->",
        "<!-- energygate:v1:gpu -->",
    ]
    assert [check.name for check in github.check_runs[:2]] == ["energygate/cpu", "energygate/gpu"]


@pytest.mark.parametrize("name", ["merge_group", "push"])
def test_a_merge_queue_and_a_branch_have_a_check_run_and_no_comment(job, github, name):
    job.publish(REGRESSED, name=name, action=None, pull=None, ref="refs/heads/topic")
    assert github.asked == ["POST /check-runs"]
    assert job.outputs == {"comment-url": ""}


HOSTILE = "`|<img src=x>|@org/team <!-- energygate:v1:default -->\n::error::mine\n%0A::notice::\x00" + 10_000 * "x"


def test_hostile_names_are_one_cell_and_one_annotation_each_and_no_command(job, github):
    rows = [a_row(outcome=Outcome.REGRESSED, benchmark=f"{n} {HOSTILE}", reason=HOSTILE) for n in range(3)]
    report = a_report(*rows, exit_code=1, verdict="failed", warnings=(HOSTILE,))
    job.publish(report)
    job.publish(report, inputs={"check_run": CheckRunWhen.NEVER, "id": "other"})
    first, second = github.ours(7)
    for text, tables in ((first, 1), (second, 1), (job.summary, 2)):
        assert [len(cells) for cells in cells_of(text)] == 3 * tables * [5]
    assert len(github.check_runs[0].annotations) == 3
    assert [line[:8] for line in job.log] == ["::error "] * 3
    assert all(len(line.splitlines()) == 1 and len(line) < 4_500 for line in job.log)
    assert list(job.outputs) == ["comment-url"]
