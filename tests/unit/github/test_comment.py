"""Section 4.1 of the design: one sticky comment, written once, by the newest attempt on the head."""

import fakes_github_faults as faults
import pytest
from fakes import a_report, a_row
from fakes_github import HEAD_SHA, Token

from energygate.github.comment import How, Post, When, has_news, upsert
from energygate.github.marker import Marker
from energygate.github.written import Fate, Written
from energygate.model import Outcome

RUN = 123
NEWER = "0123456789abcdef0123456789abcdef01234567"
BOT = "github-actions[bot]"


def a_marker(head=HEAD_SHA, run=RUN, attempt=1, verdict="regressed", seen=()):
    return Marker(head=head, run=run, attempt=attempt, verdict=verdict, seen=seen)


def text(seen):
    return f"## Energy\n\nearlier: {', '.join(seen) or 'nothing'}\n"


def a_post(**facts):
    known = {
        "number": 7,
        "id": "default",
        "author": BOT,
        "marker": a_marker(),
        "when": When.ON_CHANGE,
        "how": How.UPDATE,
        "news": True,
        "render": text,
        "render_short": lambda seen: "short",
    }
    return Post(**known | facts)


def body(marker=None, seen=(), comment_id="default"):
    return (marker or a_marker()).lines(comment_id) + text(seen)


@pytest.fixture
def pull(github):
    return github.pull(7)


@pytest.fixture
def ours(github, pull):
    """Our comment of an earlier head, which stands behind 120 of others."""
    github.foreign_comments(7, 120)
    return github.comment(7, body(a_marker(head=NEWER, run=100)), login=BOT)


def test_the_first_comment_is_created_with_its_marker_on_top(github, hub, pull):
    done = upsert(hub, a_post())

    assert github.ours(7) == [
        (
            "<!-- energygate:v1:default -->\n"
            f'<!-- energygate:run {{"head":"{HEAD_SHA}","run":123,"attempt":1,"verdict":"regressed","seen":[]}} -->\n'
            "## Energy\n\nearlier: nothing\n"
        )
    ]
    (comment,) = github.comments(7)
    assert done == Written(fate=Fate.CREATED, url=f"{github.url}/acme/widgets/pull/7#issuecomment-{comment.id}")


def test_the_comment_behind_120_others_is_updated_in_four_requests(github, hub, ours):
    done = upsert(hub, a_post())

    assert done.fate is Fate.UPDATED
    assert done.url.endswith(f"#issuecomment-{ours.id}")
    assert ours.body == body()
    assert len(github.comments(7)) == 121
    assert github.asked == [
        "GET /pulls/7",
        "GET /issues/7/comments?per_page=100",
        "GET /issues/7/comments?per_page=100&page=2",
        f"PATCH /issues/comments/{ours.id}",
    ]


def test_a_comment_edited_in_a_browser_is_still_ours(github, hub, pull):
    github.comment(7, body(a_marker(head=NEWER)).replace("\n", "\r\n"), login=BOT)

    assert upsert(hub, a_post()).fate is Fate.UPDATED


@pytest.mark.parametrize(
    ("text_of", "login"),
    [
        (body(), "somebody"),
        (body(), None),
        (f"> {body()}", BOT),
        (body(comment_id="gpu"), BOT),
        ("", BOT),
    ],
)
def test_a_comment_of_others_or_of_another_id_is_let_alone(github, hub, pull, text_of, login):
    other = github.comment(7, text_of, login=login)

    assert upsert(hub, a_post()).fate is Fate.CREATED
    assert other.body == text_of
    assert len(github.comments(7)) == 2


def test_of_several_the_oldest_is_updated_and_the_others_point_at_it_once(github, hub, pull):
    first, second, third = [github.comment(7, body(a_marker(head=NEWER)), login=BOT) for _ in range(3)]

    done = upsert(hub, a_post())

    assert done == Written(fate=Fate.UPDATED, url=f"{github.url}/acme/widgets/pull/7#issuecomment-{first.id}")
    pointer = f"*Out of date: the result is in [another comment]({done.url}).*\n"
    assert (first.body, second.body, third.body) == (body(), pointer, pointer)

    upsert(hub, a_post(marker=a_marker(attempt=2)))

    assert [each.target.rpartition("/")[2] for each in github.writes[3:]] == [str(first.id)]


def test_the_first_comments_of_two_runs_at_once_are_one_in_the_end(github, hub, pull):
    rival = a_marker(run=RUN - 1)
    github.then("GET", "/comments", lambda: github.comment(7, body(rival), login=BOT))
    upsert(hub, a_post())

    upsert(hub, a_post(marker=a_marker(run=RUN + 1, verdict="passed")))

    assert [each.startswith("<!-- energygate:v1:default -->") for each in github.ours(7)] == [True, False]


def test_of_several_one_that_is_deleted_meanwhile_costs_nothing(github, hub, pull):
    _, second = [github.comment(7, body(a_marker(head=NEWER)), login=BOT) for _ in range(2)]
    github.then("GET", "/comments", lambda: github.delete_comment(second.id))

    assert upsert(hub, a_post()).why == ""
    assert github.ours(7) == [body()]


@pytest.mark.parametrize(
    ("fault", "said", "gave_up"),
    [
        (faults.permission("No."), "GitHub refused to write the comment (HTTP 403): No.", False),
        (faults.down(502), "GitHub's API at {url} answers HTTP 502. Run the job again later.", True),
    ],
)
def test_another_that_cannot_be_written_is_said_and_the_result_is_there(github, hub, pull, fault, said, gave_up):
    _, second = [github.comment(7, body(a_marker(head=NEWER)), login=BOT) for _ in range(2)]
    github.fail(fault, path=f"/comments/{second.id}")

    done = upsert(hub, a_post())

    assert (done.fate, done.gave_up) == (Fate.UPDATED, gave_up)
    assert done.why.startswith(f"An older comment is out of date. {said.format(url=github.url)}")
    assert github.ours(7)[0] == body()


def test_a_login_is_the_same_in_any_case(github, hub, pull):
    upsert(hub, a_post(author="GitHub-Actions[bot]"))

    done = upsert(hub, a_post(author="GitHub-Actions[bot]", marker=a_marker(attempt=2)))

    assert (done.fate, done.why, len(github.ours(7))) == (Fate.UPDATED, "", 1)


def test_two_ids_have_two_comments(github, hub, pull):
    for comment_id in ("cpu", "gpu", "cpu", "gpu"):
        upsert(hub, a_post(id=comment_id))

    assert github.ours(7) == [body(comment_id="cpu"), body(comment_id="gpu")]


def test_nothing_is_written_about_a_head_that_is_no_longer(github, hub, pull):
    pull.head_sha = NEWER

    assert upsert(hub, a_post()) == Written(
        fate=Fate.SUPERSEDED,
        why="Superseded: the pull request is at 0123456789ab now, and this is about f5410108c2ab. Nothing was written.",
    )
    assert github.asked == ["GET /pulls/7"]


@pytest.mark.parametrize("how", How)
@pytest.mark.parametrize(("run", "attempt"), [(RUN, 3), (RUN + 1, 1)])
def test_an_older_attempt_does_not_overwrite_a_newer_one(github, hub, pull, run, attempt, how):
    github.comment(7, body(a_marker(run=run, attempt=attempt)), login=BOT)

    assert upsert(hub, a_post(marker=a_marker(attempt=2), how=how)) == Written(
        fate=Fate.SUPERSEDED,
        why=f"Superseded: run {run}, attempt {attempt} has commented on the same commit already. Nothing was written.",
    )
    assert github.writes == []


def test_a_later_run_on_another_head_is_overwritten_by_the_run_on_todays_head(github, hub, pull):
    github.comment(7, body(a_marker(head=NEWER, run=RUN + 1)), login=BOT)

    assert upsert(hub, a_post()).fate is Fate.UPDATED


def test_each_attempt_on_the_same_head_shows_the_verdicts_before_it(github, hub, pull):
    for attempt, verdict in enumerate(["regressed", "inconclusive", "passed"], start=1):
        upsert(hub, a_post(marker=a_marker(attempt=attempt, verdict=verdict)))

    last = a_marker(attempt=3, verdict="passed", seen=("regressed", "inconclusive"))
    assert github.ours(7) == [body(last, seen=("regressed", "inconclusive"))]


def test_a_new_head_starts_without_earlier_verdicts(github, hub, pull):
    upsert(hub, a_post())
    pull.head_sha = NEWER

    upsert(hub, a_post(marker=a_marker(head=NEWER, run=RUN + 1)))

    assert github.ours(7) == [body(a_marker(head=NEWER, run=RUN + 1))]


def test_a_marker_that_somebody_has_spoiled_is_written_anew(github, hub, pull):
    github.comment(7, "<!-- energygate:v1:default -->\n<!-- energygate:run {} -->\nspoiled", login=BOT)

    upsert(hub, a_post())

    assert github.ours(7) == [body()]


def test_never_asks_nothing(github, hub, pull):
    assert upsert(hub, a_post(when=When.NEVER)) == Written(fate=Fate.UNWANTED)
    assert github.requests == []


def test_a_pass_is_no_news_until_there_is_a_comment(github, hub, pull):
    assert upsert(hub, a_post(news=False)) == Written(fate=Fate.UNWANTED)
    assert github.writes == []

    upsert(hub, a_post(marker=a_marker(attempt=2)))
    green = a_marker(attempt=3, verdict="passed")
    assert upsert(hub, a_post(news=False, marker=green)).fate is Fate.UPDATED


def test_always_comments_on_a_pass_too(github, hub, pull):
    assert upsert(hub, a_post(news=False, when=When.ALWAYS)).fate is Fate.CREATED


def test_a_new_comment_each_time_knows_the_verdicts_of_those_before(github, hub, pull):
    for attempt in (1, 2, 3):
        upsert(hub, a_post(how=How.NEW, marker=a_marker(attempt=attempt)))

    seen = ("regressed", "regressed")
    assert github.ours(7)[-1] == body(a_marker(attempt=3, seen=seen), seen=seen)
    assert len(github.ours(7)) == 3


def test_a_pass_after_other_comments_is_news_to_whoever_reads_the_last_of_them(github, hub, pull):
    upsert(hub, a_post(how=How.NEW))

    assert upsert(hub, a_post(how=How.NEW, news=False, marker=a_marker(attempt=2))).fate is Fate.CREATED


def test_an_attempt_that_publishes_twice_writes_its_comment_anew(github, hub, pull):
    upsert(hub, a_post())

    assert upsert(hub, a_post(render=lambda seen: f"second, after {seen}")).fate is Fate.UPDATED
    assert github.ours(7) == [f"{a_marker().lines('default')}second, after ()"]


@pytest.mark.parametrize(("news", "fate", "left"), [(True, Fate.CREATED, 1), (False, Fate.UNWANTED, 0)])
def test_a_comment_deleted_meanwhile_is_created_anew_where_one_is_wanted(github, hub, pull, news, fate, left):
    old = github.comment(7, body(a_marker(head=NEWER)), login=BOT)
    github.then("GET", "/comments", lambda: github.delete_comment(old.id))

    assert upsert(hub, a_post(news=news)).fate is fate
    assert len(github.ours(7)) == left


@pytest.mark.parametrize("is_there", [True, False])
def test_a_text_that_is_too_long_gives_way_to_the_short_one(github, hub, pull, is_there):
    if is_there:
        github.comment(7, body(a_marker(head=NEWER)), login=BOT)

    done = upsert(hub, a_post(render=lambda seen: "x" * 65_536))

    assert done.fate is (Fate.UPDATED if is_there else Fate.CREATED)
    assert github.ours(7) == [f"{a_marker().lines('default')}short"]


def test_a_short_text_that_is_too_long_as_well_is_refused(github, hub, pull):
    too_long = {"render": lambda seen: "x" * 65_536, "render_short": lambda seen: "y" * 65_536}

    assert upsert(hub, a_post(**too_long)) == Written(
        fate=Fate.REFUSED,
        why="GitHub refused to write the comment (HTTP 422): Validation Failed; Body is too long (maximum is 65536 "
        "characters). Mend what GitHub names.",
    )
    assert len(github.writes) == 2


@pytest.mark.parametrize("fault", [faults.reset(), faults.down(502), faults.down(500), faults.slow(), faults.html(504)])
@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_write_whose_answer_is_lost_leaves_one_comment(github, hub, pull, fault, is_done, is_there):
    hub.session.default_read_timeout = 0.2
    if is_there:
        github.comment(7, body(a_marker(head=NEWER)), login=BOT)
    github.fail(faults.lost(fault) if is_done else fault, method="PATCH" if is_there else "POST")

    done = upsert(hub, a_post())

    assert done.fate is (Fate.UPDATED if is_there else Fate.CREATED)
    assert done.url
    assert github.ours(7) == [body()]
    assert len(github.writes) == (1 if is_done else 2)


def test_a_comment_of_an_earlier_attempt_does_not_stand_for_one_that_was_lost(github, hub, pull):
    upsert(hub, a_post(how=How.NEW))
    github.fail(faults.reset(), method="POST")

    upsert(hub, a_post(how=How.NEW, marker=a_marker(attempt=2)))

    assert len(github.ours(7)) == 2


def test_a_write_that_is_lost_twice_is_given_up(github, hub, pull):
    github.fail(faults.down(502), times=2, method="POST")

    assert upsert(hub, a_post()) == Written(
        fate=Fate.UNAVAILABLE,
        why=f"GitHub's API at {github.url} answers HTTP 502. Run the job again later.",
        gave_up=True,
    )
    assert len(github.writes) == 2


def test_a_token_that_only_reads_goes_without_and_names_the_permission(github, hub, pull):
    github.token_kind = Token.READ_ONLY

    done = upsert(hub, a_post())

    assert done == Written(
        fate=Fate.REFUSED,
        why="GitHub refused to write the comment (HTTP 403): Resource not accessible by integration. Give the job "
        "`permissions: pull-requests: write`. The token of a fork's or Dependabot's run can only read, whatever the "
        "job asks for: docs/github.md says how to publish for those.",
    )
    assert hub.waits == []


def test_a_conversation_that_is_locked_is_to_be_unlocked(github, hub, pull):
    github.fail(faults.permission("Unable to create comment because issue is locked."), method="POST")

    assert upsert(hub, a_post()).why == (
        "GitHub refused to write the comment (HTTP 403): Unable to create comment because issue is locked. "
        "Unlock the conversation of the pull request."
    )


def test_a_comment_that_would_not_be_found_again_is_said(github, hub, pull):
    github.login = "octocat"

    done = upsert(hub, a_post())

    assert (done.fate, done.why) == (
        Fate.CREATED,
        "The comment was written by octocat, and would not be found again: set comment-author: octocat.",
    )


@pytest.mark.parametrize(
    ("report", "news"),
    [
        (a_report(a_row(outcome=Outcome.PASS)), False),
        (a_report(a_row(outcome=Outcome.PASS), notes=("nothing is suspect, so main was not measured",)), False),
        (a_report(a_row(outcome=Outcome.PASS), a_row(outcome=Outcome.IMPROVED)), True),
        (a_report(a_row(outcome=Outcome.PASS), warnings=("the driver changed",)), True),
        (a_report(exit_code=5, verdict="failed"), True),
    ],
)
def test_all_but_plain_passes_is_news(report, news):
    assert has_news(report) is news
