"""Event in, decision out: every row of the table, and payloads that nobody vouches for."""

import copy
from dataclasses import replace

import pytest

from energygate.errors import ConfigError
from energygate.github.event import Activity, Event, Pull, Relayed, Source, activity, read_event

HEAD, BASE, MERGE = "a" * 40, "b" * 40, "c" * 40
ENVIRON = {
    "GITHUB_REPOSITORY": "acme/widgets",
    "GITHUB_SHA": MERGE,
    "GITHUB_REF": "refs/heads/topic",
    "GITHUB_RUN_ID": "123",
    "GITHUB_RUN_ATTEMPT": "2",
}
MAIN = {"GITHUB_REF": "refs/heads/main"}
ON_BRANCH = {"repository": {"default_branch": "main"}}
PULL = {
    "action": "opened",
    "pull_request": {
        "number": 7,
        "head": {"sha": HEAD, "repo": {"full_name": "acme/widgets"}},
        "base": {"sha": BASE},
    },
}
GROUP = {"action": "checks_requested", "merge_group": {"head_sha": HEAD, "base_sha": BASE}}
RUN = {
    "action": "completed",
    "workflow_run": {
        "id": 99,
        "run_attempt": 2,
        "event": "pull_request",
        "head_sha": HEAD,
        "head_branch": "fix/it",
        "head_repository": {"id": 5, "full_name": "eve/widgets", "owner": {"login": "eve"}},
    },
}


def read(name, payload, **environ):
    return read_event(ENVIRON | {"GITHUB_EVENT_NAME": name} | environ, payload)


def changed(payload, path, value):
    """Give the payload with another value at `a.b.c`, or without it."""
    whole = copy.deepcopy(payload)
    *above, last = path.split(".")
    inner = whole
    for key in above:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return whole


def refusal(call, *arguments, **named):
    with pytest.raises(ConfigError) as refused:
        call(*arguments, **named)
    return str(refused.value)


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review", "labeled"])
@pytest.mark.parametrize("mode", ["auto", "gate"])
def test_a_pull_request_is_gated_when_its_commits_change_or_somebody_asks(action, mode):
    assert activity(read("pull_request", PULL | {"action": action}), mode) is Activity.GATE


@pytest.mark.parametrize("action", ["closed", "edited", "unlabeled", "assigned", "review_requested"])
@pytest.mark.parametrize("mode", ["auto", "gate", "record"])
def test_nothing_is_done_about_what_else_happens_to_a_pull_request(action, mode):
    assert activity(read("pull_request", PULL | {"action": action}), mode) is Activity.NOTHING


@pytest.mark.parametrize(
    ("name", "payload", "environ", "auto", "gate", "commit"),
    [
        ("pull_request", PULL, {}, Activity.GATE, Activity.GATE, HEAD),
        ("merge_group", GROUP, {}, Activity.GATE, Activity.GATE, HEAD),
        ("merge_group", GROUP, MAIN, Activity.GATE, Activity.GATE, HEAD),
        ("push", ON_BRANCH, MAIN, Activity.RECORD, Activity.GATE, MERGE),
        ("push", ON_BRANCH, {}, Activity.GATE, Activity.GATE, MERGE),
        ("push", ON_BRANCH, {"GITHUB_REF": "refs/tags/main"}, Activity.GATE, Activity.GATE, MERGE),
        ("schedule", {}, MAIN, Activity.RECORD, Activity.GATE, MERGE),
        ("workflow_dispatch", ON_BRANCH, MAIN, Activity.RECORD, Activity.GATE, MERGE),
        ("workflow_dispatch", ON_BRANCH, {}, Activity.GATE, Activity.GATE, MERGE),
        ("workflow_run", RUN, MAIN, Activity.RELAY, Activity.RELAY, HEAD),
    ],
)
def test_each_event_has_its_activity_and_the_commit_that_is_reported(name, payload, environ, auto, gate, commit):
    event = read(name, payload, **environ)
    assert (activity(event, "auto"), activity(event, "gate"), event.commit) == (auto, gate, commit)


@pytest.mark.parametrize(
    ("name", "payload", "environ"),
    [
        ("pull_request", PULL, {"GITHUB_REF": "refs/pull/7/merge"}),
        ("merge_group", GROUP, MAIN),
        ("push", ON_BRANCH, {"GITHUB_REF": "refs/heads/topic"}),
    ],
)
def test_nothing_is_recorded_but_what_was_merged(name, payload, environ):
    assert refusal(activity, read(name, payload, **environ), "record") == (
        f"input mode: record, on {name} of {environ['GITHUB_REF']}. "
        "Baselines are what was merged: of this event's commit nobody has decided that yet. "
        "Record on push, schedule or workflow_dispatch of the default branch, or leave mode: auto."
    )


def test_an_event_is_read_whole():
    labelled = PULL | {"action": "labeled", "label": {"name": "energy-ok"}}
    assert read("pull_request", labelled, GITHUB_REF="refs/pull/7/merge") == Event(
        name="pull_request",
        action="labeled",
        label="energy-ok",
        repository="acme/widgets",
        ref="refs/pull/7/merge",
        commit=HEAD,
        run_id=123,
        attempt=2,
        server_url="https://github.com",
        api_url="https://api.github.com",
        pull=Pull(number=7, head_sha=HEAD, base_sha=BASE, is_foreign=False),
    )
    assert read("workflow_run", RUN).relayed == Relayed(
        run_id=99,
        attempt=2,
        event="pull_request",
        head_sha=HEAD,
        head_branch="fix/it",
        source=Source(id=5, owner="eve"),
    )
    assert read("merge_group", GROUP).merge_base_sha == BASE


def test_the_run_of_a_fork_that_was_deleted_has_no_source():
    deleted = RUN | {"workflow_run": RUN["workflow_run"] | {"head_repository": None}}
    assert read("workflow_run", deleted).relayed == replace(read("workflow_run", RUN).relayed, source=None)


def test_links_and_requests_go_to_the_server_that_the_runner_names():
    own = {"GITHUB_SERVER_URL": "https://ghe.example:8443/", "GITHUB_API_URL": "https://ghe.example:8443/api/v3"}
    event = read("schedule", {}, **own)
    assert event.api_url == "https://ghe.example:8443/api/v3"
    assert event.repository_url == "https://ghe.example:8443/acme/widgets"
    assert event.run_url == "https://ghe.example:8443/acme/widgets/actions/runs/123"


@pytest.mark.parametrize(
    ("repo", "is_foreign"),
    [
        ({"full_name": "acme/widgets"}, False),
        ({"full_name": "Acme/Widgets"}, False),
        ({"full_name": "eve/widgets"}, True),
        (None, True),
    ],
)
def test_a_pull_request_of_another_repository_or_of_a_deleted_one_is_foreign(repo, is_foreign):
    head = {"sha": HEAD, "repo": repo}
    assert read("pull_request", changed(PULL, "pull_request.head", head)).pull.is_foreign is is_foreign


def test_pull_request_target_is_refused_whatever_its_payload():
    assert refusal(read, "pull_request_target", PULL) == (
        "The event is pull_request_target, which is refused whatever the inputs say. "
        "It gives a token that can write to a job that would run the code of a fork. "
        "Use pull_request; for forks the two workflows of docs/github.md#forks."
    )


@pytest.mark.parametrize("name", ["issue_comment", "release", "pull_request_review"])
def test_another_event_is_refused_and_told_which_there_are(name):
    assert refusal(read, name, {}) == (
        f"energygate does nothing about the event {name}. Let the workflow run on one of: "
        "pull_request, merge_group, push, schedule, workflow_dispatch, workflow_run."
    )


@pytest.mark.parametrize(
    ("name", "payload", "path", "value", "said"),
    [
        ("pull_request", PULL, "pull_request", None, "the file: Object missing required field `pull_request`."),
        ("pull_request", PULL, "action", 3, "action: Expected `str`, got `int`."),
        ("pull_request", PULL, "pull_request.number", "7", "pull_request.number: Expected `int`, got `str`."),
        ("pull_request", PULL, "pull_request.number", 0, "pull_request.number: Expected `int` >= 1."),
        ("merge_group", GROUP, "merge_group.base_sha", None, "merge_group: Object missing required field `base_sha`."),
        ("push", ON_BRANCH, "repository", [], "repository: Expected `object`, got `array`."),
        ("workflow_run", RUN, "workflow_run.id", -1, "workflow_run.id: Expected `int` >= 1."),
    ],
)
def test_what_a_payload_lacks_or_has_wrong_is_named(name, payload, path, value, said):
    assert refusal(read, name, changed(payload, path, value)) == f"the payload of {name}: {said}"


HOSTILE = ["", "x\n", "--upload-pack=x", "a b", "a..b", "a@{1}", "a\x00", "^main", "%0A", "../..", "a:b", 300 * "a"]
SHAS = ["", "a" * 39, "a" * 41, "A" * 40, "a" * 40 + "\n", "--output=x", "a" * 63, "HEAD"]


@pytest.mark.parametrize(
    ("name", "payload", "path", "values"),
    [
        ("pull_request", PULL, "pull_request.head.sha", SHAS),
        ("pull_request", PULL, "pull_request.base.sha", SHAS),
        ("pull_request", PULL, "pull_request.head.repo.full_name", [*HOSTILE, "a/b/c", "a"]),
        ("merge_group", GROUP, "merge_group.base_sha", SHAS),
        ("merge_group", GROUP, "merge_group.head_sha", SHAS),
        ("push", ON_BRANCH, "repository.default_branch", [value for value in HOSTILE if value != "%0A"]),
        ("workflow_run", RUN, "workflow_run.head_sha", SHAS),
        ("workflow_run", RUN, "workflow_run.head_branch", [value for value in HOSTILE if value != "%0A"]),
        ("workflow_run", RUN, "workflow_run.head_repository.owner.login", [*HOSTILE, "a/b", "a&b=c"]),
    ],
)
def test_a_value_that_has_not_its_form_is_refused_and_not_shown(name, payload, path, values):
    for value in values:
        said = refusal(read, name, changed(payload, path, value))
        assert said.startswith(f"the payload of {name}: {path}: Expected `str` matching regex")
        assert not value.strip() or len(value) < 5 or value.strip() not in said


def test_commits_of_a_repository_with_sha256_are_commits_too():
    assert read("merge_group", changed(GROUP, "merge_group.head_sha", "d" * 64)).commit == "d" * 64


@pytest.mark.parametrize("payload", [None, [], "text", 7])
def test_a_payload_that_is_no_object_is_refused(payload):
    assert refusal(read, "push", payload).startswith("the payload of push: the file: Expected `object`, got ")


@pytest.mark.parametrize("name", ["GITHUB_EVENT_NAME", "GITHUB_REPOSITORY", "GITHUB_SHA", "GITHUB_RUN_ID"])
def test_a_variable_that_is_not_set_is_named(name):
    assert refusal(read, "push", ON_BRANCH, **{name: ""}) == (
        f"{name} is not set. GitHub Actions says with it what happened. "
        "Outside of it use energygate run, or pytest --energy."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_EVENT_NAME", "push\n::error::x"),
        ("GITHUB_REPOSITORY", "acme/widgets/more"),
        ("GITHUB_SHA", "main"),
        ("GITHUB_REF", "refs/heads/a b"),
        ("GITHUB_RUN_ID", "0x7"),
        ("GITHUB_RUN_ATTEMPT", "0"),
        ("GITHUB_SERVER_URL", "https://github.com/)[x]("),
        ("GITHUB_API_URL", "file:///etc/passwd"),
    ],
)
def test_a_variable_that_has_not_its_form_is_named_and_not_shown(name, value):
    assert refusal(read, "push", ON_BRANCH, **{name: value}) == (
        f"{name} is nothing that GitHub Actions would set. Leave it as GitHub Actions sets it."
    )


def test_a_run_without_an_attempt_is_the_first_and_an_event_without_a_ref_has_none():
    event = read("workflow_run", RUN, GITHUB_RUN_ATTEMPT="", GITHUB_REF="")
    assert (event.attempt, event.ref, event.is_default_branch) == (1, "", False)
