"""The base that real git finds, in clones as actions/checkout makes them."""

import os

import pytest
from fakes_git import Repository

from energygate.errors import ConfigError
from energygate.git import Git
from energygate.github.base import base_revision
from energygate.github.event import Activity, Event, Pull

FETCH = "Fetch the history: fetch-depth: 0 for actions/checkout. Or measure without a base: against: none."


class History:
    """main has two commits more than the branch left from, and GitHub's merge of both is checked out."""

    def __init__(self, folder):
        self.origin = Repository(folder / "origin")
        self.first = self.origin.commit(a_txt="0")
        self.left = self.origin.commit(a_txt="1")
        self.origin.git("checkout", "--quiet", "-b", "topic")
        self.head = self.origin.commit(b_txt="1")
        self.origin.git("checkout", "--quiet", "main")
        self.older = self.origin.commit(a_txt="2")
        self.tip = self.origin.commit(a_txt="3")
        self.origin.git("checkout", "--quiet", "-b", "merged")
        self.origin.git("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
        self.merge = self.origin.git("rev-parse", "HEAD").strip()

    def clone(self, folder, revision, *, depth=None):
        """Clone as the checkout action does: no branch, and as many commits as asked for."""
        made = Repository(folder)
        made.git("remote", "add", "origin", self.origin.folder.as_uri())
        what = (revision, f"--depth={depth}") if depth else (revision, "main:refs/remotes/origin/main")
        made.git("fetch", "--quiet", "--no-tags", "origin", *what)
        made.git("checkout", "--quiet", "--detach", revision)
        return Git(folder=folder, environ=made.environ)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    return History(tmp_path_factory.mktemp("base"))


@pytest.fixture
def checkout(history, tmp_path):
    """Give git in a clone of this revision."""
    return lambda revision, **how: history.clone(tmp_path / "clone", revision, **how)


def an_event(**facts):
    return Event(
        **{"name": "push", "ref": "refs/heads/topic", "commit": "f" * 40, "default_branch": "main"} | facts,
        repository="acme/widgets",
        run_id=1,
        attempt=1,
        server_url="https://github.com",
        api_url="https://api.github.com",
    )


def pulled(head, base):
    pull = Pull(number=7, head_sha=head, base_sha=base, is_foreign=False)
    return an_event(name="pull_request", ref="refs/pull/7/merge", pull=pull)


def found(event, git, against="auto", activity=Activity.GATE):
    return base_revision(event, activity, against=against, git=git)


def refusal(event, git, against="auto"):
    with pytest.raises(ConfigError) as refused:
        found(event, git, against)
    return str(refused.value)


def test_the_base_of_a_merge_commit_is_its_first_parent_however_old_the_payloads_base_is(history, checkout):
    git = checkout(history.merge)
    assert found(pulled(history.head, history.older), git) == history.tip
    assert found(pulled(history.head, history.first), git) == history.tip


def test_the_base_of_the_branch_itself_is_where_it_left(history, checkout):
    assert found(pulled(history.head, history.tip), checkout(history.head)) == history.left


def test_two_commits_are_deep_enough_for_a_merge_commit(history, checkout):
    assert found(pulled(history.head, history.older), checkout(history.merge, depth=2)) == history.tip


def test_in_a_shallow_clone_the_base_that_is_not_there_is_named(history, checkout):
    why = f"is not in this clone. Base and head are measured in turn. {FETCH}"
    git = checkout(history.merge, depth=1)
    assert refusal(pulled(history.head, history.older), git) == f"The base commit {history.tip} {why}"
    group = an_event(name="merge_group", merge_base_sha=history.tip)
    assert refusal(group, git) == f"The base commit {history.tip} {why}"


def test_in_a_shallow_clone_of_the_branch_the_payloads_base_is_named(history, checkout):
    said = refusal(pulled(history.head, history.tip), checkout(history.head, depth=1))
    assert said.startswith(f"The base commit {history.tip} is not in this clone. ")
    assert "fetch-depth: 0" in said


def test_a_tree_that_is_not_the_pull_requests_is_refused(history, checkout):
    assert refusal(pulled(history.head, history.tip), checkout(history.tip)) == (
        f"HEAD is {history.tip[:12]}: neither the pull request's head {history.head[:12]} nor GitHub's merge of it. "
        "What is measured would be reported as that pull request. "
        "Check out what the event is about: actions/checkout without ref, or with "
        "ref: ${{ github.event.pull_request.head.sha }}, and fetch-depth: 0. Or against: none."
    )


def test_a_branch_without_a_common_commit_is_refused(history, tmp_path):
    alone = Repository(tmp_path / "alone")
    head = alone.commit(x_txt="1")
    alone.git("fetch", "--quiet", history.origin.folder.as_uri(), "main")
    said = refusal(pulled(head, history.tip), Git(folder=alone.folder, environ=alone.environ))
    assert said == (
        f"HEAD and {history.tip[:12]}, the base of the pull request, have no common commit in this clone. "
        f"Base and head are measured in turn. {FETCH}"
    )


def test_a_merge_group_is_compared_with_what_it_was_made_on(history, checkout):
    event = an_event(name="merge_group", merge_base_sha=history.older)
    assert found(event, checkout(history.merge)) == history.older


def test_a_pushed_branch_is_compared_with_where_it_left_the_default_branch(history, checkout):
    git = checkout(history.head)
    for name in ("push", "workflow_dispatch"):
        assert found(an_event(name=name), git) == history.left


def test_a_pushed_branch_has_no_base_where_the_clone_has_no_default_branch(history, checkout):
    assert found(an_event(), checkout(history.head, depth=1)) is None


def test_what_has_not_left_the_default_branch_has_no_base_and_is_not_measured_against_itself(history, checkout):
    git = checkout(history.tip)
    for ref in ("refs/tags/v1", "refs/heads/fresh"):
        assert found(an_event(ref=ref), git) is None
    git("checkout", "--quiet", "--detach", history.older)
    assert found(an_event(ref="refs/tags/v0"), git) is None


def test_the_default_branch_is_compared_with_the_commit_before(history, checkout):
    git = checkout(history.tip)
    assert found(an_event(ref="refs/heads/main"), git) == history.older
    assert found(an_event(name="schedule", ref="", default_branch=None), git) == history.older


def test_the_first_commit_of_all_has_no_base(history, checkout):
    assert found(an_event(ref="refs/heads/main"), checkout(history.first)) is None


@pytest.mark.parametrize("activity", [each for each in Activity if each is not Activity.GATE])
def test_nothing_but_a_gate_has_a_base(activity, tmp_path):
    nowhere = Git(folder=tmp_path, environ=dict(os.environ))
    assert found(pulled("a" * 40, "b" * 40), nowhere, activity=activity) is None


def test_none_asks_git_nothing(tmp_path):
    assert found(pulled("a" * 40, "b" * 40), Git(folder=tmp_path), "none") is None


def test_a_revision_that_is_named_stays_as_it_is_named_and_must_be_there(history, checkout):
    git = checkout(history.merge)
    event = pulled(history.head, history.older)
    assert found(event, git, "origin/main~1") == "origin/main~1"
    assert refusal(event, git, "v9").startswith("There is no commit v9 here. ")
    assert refusal(event, git, "--all").startswith("There is no commit --all here. ")


def test_a_folder_without_a_repository_is_named(tmp_path):
    git = Git(folder=tmp_path, environ=dict(os.environ) | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert refusal(pulled("a" * 40, "b" * 40), git).startswith(f"git cat-file failed in {tmp_path}: fatal: not a git")
