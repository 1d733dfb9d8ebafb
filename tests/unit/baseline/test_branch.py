import base64

import pytest
from fakes import FINGERPRINT, a_benchmark, a_run
from fakes_git import Repository, watched_git
from fakes_stores import NoTime, Remote

from energygate.baseline.branch import BranchStore, open_branch
from energygate.baseline.remote import RemoteBranch
from energygate.baseline.schema import encode_run
from energygate.errors import BaselineError, ConfigError, NotStored
from energygate.git import Git
from energygate.model import Baseline

RUN = a_run(a_benchmark())
NAME = f"{FINGERPRINT}/20261101T031500Z-0123456789ab-{RUN.run_id}.json"
ALONE = "Give the job `contents: write`, and let no rule protect that branch (docs/baselines.md#an-orphan-branch)."


@pytest.fixture
def remote(tmp_path):
    return Remote(tmp_path)


def refuse_pushes(remote, said="branch is protected"):
    hook = remote.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho '{said}'\nexit 1\n")
    hook.chmod(0o755)


def test_a_run_is_one_file_on_a_branch_without_any_other_history(remote):
    assert remote.store().add(RUN) == f"git:energy-baselines/{NAME}"
    assert remote.files() == [NAME]
    assert remote.git("show", f"energy-baselines:{NAME}").encode() == encode_run(RUN)
    assert remote.git("log", "--format=%an: %s", "energy-baselines") == f"energygate: Run {RUN.run_id}\n"


def test_nothing_of_the_checkout_is_touched(remote):
    clone = remote.clone()
    clone.write("a.txt", "changed, and not committed")
    clone.write("staged.txt", "staged")
    clone.git("add", "staged.txt")
    clone.git("config", "push.followTags", "true")
    before = clone.state()
    remote.store(clone).add(RUN)
    assert remote.store(clone).load(FINGERPRINT) == Baseline(runs=(RUN,))
    after = clone.state()
    assert set(after.pop("git")) - set(before.pop("git")) == {"energygate"}
    assert after == before


def test_only_the_newest_commit_is_fetched(remote):
    for day in (1, 2, 3):
        remote.store().add(a_run(a_benchmark(), day=day))
    clone = remote.clone()
    clone.git("update-ref", "-d", "refs/remotes/origin/energy-baselines")
    assert len(remote.store(clone).everything()) == 3
    assert clone.git("--git-dir=.git/energygate", "rev-list", "--count", "--all") == "1\n"


def test_a_branch_that_shares_its_history_with_the_code_is_read_and_the_history_of_the_clone_stays_whole(remote):
    for number in range(3):
        remote.first.commit(a_txt=str(number))
    remote.first.git("push", "--quiet", str(remote.bare), "HEAD:main", "HEAD:energy-baselines")
    remote.store().add(RUN)
    remote.git("update-ref", "refs/heads/main", "energy-baselines")
    clone = remote.clone()
    before = clone.git("rev-list", "HEAD")
    assert remote.store(clone).load(FINGERPRINT) == Baseline(runs=(RUN,))
    assert clone.git("rev-list", "HEAD") == before
    assert clone.git("rev-parse", "--is-shallow-repository") == "false\n"


def test_a_partial_clone_has_all_that_was_fetched(remote):
    remote.store().add(RUN)
    remote.git("config", "uploadpack.allowFilter", "true")
    folder = remote.folder / "partial"
    remote.first.git("clone", "--quiet", "--filter=blob:none", remote.bare.as_uri(), str(folder))
    clone = Repository(folder)
    at = remote.store(clone).fetched()
    remote.bare.rename(remote.folder / "moved.git")
    assert opened_at(clone, at).load(FINGERPRINT) == Baseline(runs=(RUN,))


def test_the_remote_is_reached_by_what_the_clone_says_of_it_also_in_a_section_for_its_folder_alone(remote):
    remote.store().add(RUN)
    clone = remote.clone()
    clone.git("remote", "set-url", "origin", "lab:energy")
    section = clone.write("../section", f'[url "{remote.bare}"]\n  insteadOf = lab:energy\n')
    clone.git("config", f"includeIf.gitdir:{clone.folder.resolve()}/.git.path", str(section.resolve()))
    given = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "somebody"}
    clone.environ |= given
    assert remote.store(clone).load(FINGERPRINT) == Baseline(runs=(RUN,))


def test_a_worktree_reads_what_was_fetched_in_its_clone(remote):
    remote.store().add(RUN)
    clone = remote.clone()
    at = remote.store(clone).fetched()
    clone.git("worktree", "add", "--quiet", "--detach", "../base")
    remote.bare.rename(remote.folder / "moved.git")
    base = open_branch("git:energy-baselines", folder=clone.folder.parent / "base", environ=clone.environ, at=at)
    assert base.load(FINGERPRINT) == Baseline(runs=(RUN,))


def test_a_clone_that_cannot_hold_what_is_fetched_is_named(remote):
    clone = remote.clone()
    place = clone.write(".git/energygate", "a file")
    with pytest.raises(ConfigError) as refused:
        remote.store(clone).load(FINGERPRINT)
    assert str(refused.value) == (
        f"Cannot make {place}: Not a directory. Branches of baselines are fetched into it, so that the clone itself "
        "stays as it is. Let this user write in the clone's .git."
    )
    assert [each.name for each in (clone.folder / ".git").glob("energygate*")] == ["energygate"]


def test_a_branch_that_points_at_no_commit_is_no_empty_store(remote):
    blob = remote.git("hash-object", "-w", str(remote.bare / "HEAD"))
    (remote.bare / "refs" / "heads" / "energy-baselines").write_text(blob)
    with pytest.raises(BaselineError) as refused:
        remote.store().load(FINGERPRINT)
    assert str(refused.value) == (
        "Cannot read the baselines of branch energy-baselines at origin: it points at no commit. Unread baselines must "
        "not look like none. `git ls-remote origin` must answer. A private repository needs credentials: in a "
        "workflow, `contents: read`."
    )


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"junk"), lambda path: path.unlink()])
def test_a_file_that_is_spoilt_or_gone_in_the_clone_is_named(remote, spoil):
    remote.store().add(RUN)
    clone = remote.clone()
    at = remote.store(clone).fetched()
    blob = remote.git("rev-parse", f"energy-baselines:{NAME}").strip()
    own = clone.folder / ".git" / "energygate"
    (loose := own / "objects" / blob[:2] / blob[2:]).chmod(0o644)
    spoil(loose)
    with pytest.raises(BaselineError) as refused:
        opened_at(clone, at).load(FINGERPRINT)
    assert str(refused.value) == (
        f"git in {own}: file {blob} cannot be read. A run that cannot be read cannot be compared. "
        f"Mend it: git -C {own} fsck. Or remove it: it is fetched anew."
    )


def test_a_branch_that_was_deleted_is_empty_again(remote):
    clone = remote.clone()
    remote.store(clone).add(RUN)
    remote.git("branch", "-D", "energy-baselines")
    assert remote.store(clone).load(FINGERPRINT) == Baseline(absent="origin has no such branch")


def opened_at(clone, at):
    return open_branch("git:energy-baselines", folder=clone.folder, environ=clone.environ, at=at)


def test_what_was_fetched_is_read_from_then_on_whatever_becomes_of_the_remote_and_of_refs(remote):
    clone = remote.clone()
    remote.store().add(RUN)
    at = remote.store(clone).fetched()
    commit = remote.git("rev-parse", "energy-baselines").strip()
    assert at == f"git:energy-baselines@{commit}"
    remote.store().add(a_run(a_benchmark(), day=2))
    remote.bare.rename(remote.folder / "moved.git")
    own = ("--git-dir", ".git/energygate")
    clone.git(*own, "fetch", "--quiet", ".", "+main:refs/energygate/energy-baselines")
    clone.git(*own, "replace", commit, "refs/energygate/energy-baselines")
    store = opened_at(clone, at)
    assert (store.load(FINGERPRINT), store.remarks()) == (Baseline(runs=(RUN,)), ())


def test_a_branch_that_was_not_there_is_read_as_empty_without_asking_again(remote):
    clone = remote.clone()
    at = remote.store(clone).fetched()
    assert at == "git:energy-baselines@none"
    remote.bare.rename(remote.folder / "moved.git")
    assert opened_at(clone, at).load(FINGERPRINT) == Baseline(absent="origin has no such branch")


def test_what_was_fetched_of_another_branch_is_of_no_concern(remote):
    clone = remote.clone()
    remote.store().add(RUN)
    assert opened_at(clone, "git:energy-baselines-2@none").load(FINGERPRINT) == Baseline(runs=(RUN,))


def test_a_commit_that_is_gone_is_no_empty_store(remote):
    clone = remote.clone()
    with pytest.raises(BaselineError) as refused:
        opened_at(clone, f"git:energy-baselines@{'a' * 40}").load(FINGERPRINT)
    assert str(refused.value) == (
        f"git:energy-baselines was fetched at aaaaaaaaaaaa, and {clone.folder} does not have that commit. Unread "
        "baselines must not look like none. Measure in the clone that they were fetched into, and leave its "
        "objects alone."
    )


def test_a_remote_that_does_not_answer_is_no_empty_store(remote):
    clone = remote.clone()
    remote.bare.rename(remote.folder / "moved.git")
    with pytest.raises(BaselineError) as refused:
        remote.store(clone).load(FINGERPRINT)
    assert str(refused.value).startswith("Cannot read the baselines of branch energy-baselines at origin: fatal: ")
    assert str(refused.value).endswith(
        "Unread baselines must not look like none. `git ls-remote origin` must answer. A private repository needs "
        "credentials: in a workflow, `contents: read`."
    )


def test_a_push_that_is_refused_is_tried_six_times_with_jitter_and_then_an_error(remote):
    refuse_pushes(remote)
    clock = NoTime()
    with pytest.raises(NotStored) as refused:
        remote.store(clock=clock).add(RUN)
    said = str(refused.value)
    assert said.startswith("Cannot write to branch energy-baselines at origin: tried 6 times, the last time: ! ")
    assert "[remote rejected] (pre-receive hook declined)" in said
    assert "branch is protected" in said
    assert said.endswith(ALONE)
    assert len(clock.waited) == 5
    assert all(0.1 <= waited <= 1 for waited in clock.waited)


def test_a_push_that_would_be_refused_is_said_before_measuring(remote):
    clone = remote.clone()
    remote.store(clone).require_writable(FINGERPRINT)
    remote.store(clone).add(RUN)
    remote.store(clone).require_writable(FINGERPRINT)
    assert remote.files() == [NAME]
    clone.git("remote", "set-url", "--push", "origin", str(remote.folder / "nowhere.git"))
    with pytest.raises(NotStored) as refused:
        remote.store(clone).require_writable(FINGERPRINT)
    assert str(refused.value).startswith("Cannot write to branch energy-baselines at origin: fatal: ")


class Racing(NoTime):
    """A clock in whose waiting somebody lets pushes through again."""

    def __init__(self, remote):
        super().__init__()
        self.remote = remote

    def sleep(self, seconds):
        super().sleep(seconds)
        (self.remote.bare / "hooks" / "pre-receive").unlink()


def test_a_push_that_was_refused_once_is_made_on_top_of_what_is_there_then(remote):
    refuse_pushes(remote)
    clock = Racing(remote)
    remote.store(clock=clock).add(RUN)
    assert (remote.files(), len(clock.waited)) == ([NAME], 1)


def test_a_push_whose_answer_was_lost_has_stored_the_run(remote):
    clone = remote.clone()
    there = RemoteBranch(git=Git(folder=clone.folder, environ=clone.environ), branch="energy-baselines")
    commit = there.commit(None, {NAME: there.keep(encode_run(RUN))}, "it arrived")
    remote.git("fetch", "--quiet", str(clone.folder), f"{commit}:refs/hidden")

    class Arriving(NoTime):
        def sleep(self, seconds):
            super().sleep(seconds)
            remote.git("update-ref", "refs/heads/energy-baselines", commit)

    refuse_pushes(remote)
    clock = Arriving()
    assert remote.store(clone, clock=clock).add(RUN) == f"git:energy-baselines/{NAME}"
    assert (remote.files(), len(clock.waited)) == ([NAME], 1)
    assert remote.git("rev-list", "--count", "energy-baselines") == "1\n"


def test_a_file_that_the_remote_would_refuse_is_refused_here(remote):
    with pytest.raises(NotStored) as refused:
        remote.store(largest_file=2**10).add(RUN)
    assert str(refused.value) == (
        f"{NAME} has {len(encode_run(RUN)) / 2**20:.3g} MiB, and GitHub refuses files above 0.000977 MiB. "
        "Record fewer benchmarks at once, or keep the baselines in object storage."
    )
    assert remote.git("branch", "--list", "energy-baselines") == ""


def test_a_large_branch_is_worth_a_warning_that_offers_to_prune_it(remote):
    clone = remote.clone()
    store = remote.store(clone, large=2**10)
    assert store.remarks() == ()
    store.add(RUN)
    size = f"{len(encode_run(RUN)) / 2**20:.3g}"
    (said,) = store.remarks()
    assert said == (
        f"baselines: git:energy-baselines holds {size} MiB, more than 0.000977 MiB, and every job fetches it. "
        "`energygate baseline prune --baselines=git:energy-baselines` lists the runs that nothing needs."
    )
    assert remote.store(clone).remarks() == ()


def test_credentials_reach_git_through_its_environment_and_are_never_told(remote, tmp_path):
    clone = remote.clone()
    path, told = watched_git(tmp_path)
    secret = base64.b64encode(b"x-access-token:canary").decode()
    given = {
        **clone.environ,
        "PATH": path,
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "http.https://localhost/.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {secret}",
        "GIT_CONFIG_KEY_1": f"url.{remote.bare}.insteadOf",
        "GIT_CONFIG_VALUE_1": "https://canary-user:canary-pass@127.0.0.1:9/team",
    }
    clone.git("remote", "set-url", "origin", "https://canary-user:canary-pass@127.0.0.1:9/team")
    opened = {"branch": "energy-baselines", "near": clone.folder, "clock": NoTime()}
    store = BranchStore(**opened, environ=given)
    store.add(RUN)
    assert store.load(FINGERPRINT) == Baseline(runs=(RUN,))
    assert "canary" not in repr(store)
    refuse_pushes(remote, said=f"AUTHORIZATION: basic {secret}, https://canary-user:canary-pass@127.0.0.1:9/team")
    with pytest.raises(NotStored) as refused:
        store.add(a_run(a_benchmark(), day=2))
    with pytest.raises(BaselineError) as unread:
        BranchStore(**opened, environ=clone.environ).everything()
    assert "***" in str(refused.value)
    assert "canary" not in f"{refused.value} {unread.value}"
    assert secret not in str(refused.value)
    assert secret not in (clone.folder / ".git" / "config").read_text()
    arguments = told.read_text()
    assert " push " in arguments
    assert (secret in arguments, "canary" in arguments) == (False, False)


def test_without_a_remote_there_is_no_such_store(remote):
    clone = remote.clone()
    clone.git("remote", "remove", "origin")
    with pytest.raises(ConfigError) as refused:
        remote.store(clone).everything()
    assert str(refused.value) == (
        f"baselines: git:energy-baselines: {clone.folder} has no remote called origin. The branch is kept there. "
        "Add it: git remote add origin URL. Or keep them in a folder: `baselines: baselines`."
    )


@pytest.mark.parametrize("name", ["", "-d", "a..b", "a b", "a:b", "@{1}", "a.lock"])
def test_a_name_that_no_branch_has_is_refused(tmp_path, name):
    with pytest.raises(ConfigError) as refused:
        open_branch(f"git:{name}", folder=tmp_path)
    assert str(refused.value) == (
        f"baselines: {f'git:{name}'!r}: git allows no branch of that name. "
        "Give one, for example `baselines: git:energy-baselines`."
    )


def test_files_that_are_no_runs_and_links_are_left_alone(remote):
    clone = remote.clone()
    remote.store(clone).add(RUN)
    clone.git("fetch", "--quiet", "origin", "energy-baselines")
    clone.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    clone.write("README.md", "the runs of our machines")
    clone.write(f"{FINGERPRINT}/deeper/a.json", "{")
    (clone.folder / FINGERPRINT / "link.json").symlink_to("/etc/hostname")
    clone.commit()
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/energy-baselines")
    assert [each.run for each in remote.store().everything()] == [RUN]
    remote.store().remove(*remote.store().everything())
    assert remote.files() == [f"{FINGERPRINT}/deeper/a.json", f"{FINGERPRINT}/link.json", "README.md"]
