"""git itself is asked, in repositories made for the test."""

import os
import subprocess

import pytest

from energygate.errors import ConfigError
from energygate.measure.source import read_source
from energygate.model import Source

ALONE = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@localhost",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Run git in the test's own repository, untouched by the user's settings and by a git that runs the tests."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        done = subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch=main")
    return run


@pytest.fixture
def commit(git, tmp_path):
    """Commit a file; give the commit's name."""

    def run(name="tracked.txt", text="one\n"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        git("add", name)
        git("commit", "--quiet", "--message", "a change")
        return git("rev-parse", "HEAD")

    return run


def test_a_clean_commit_is_told_with_its_branch(commit, tmp_path):
    name = commit()
    assert read_source(tmp_path) == Source(commit=name, branch="main", dirty=False, repository=None)


def test_a_folder_below_the_root_belongs_to_the_same_commit(commit, tmp_path):
    name = commit("sub/file.txt")
    assert read_source(tmp_path / "sub").commit == name


def test_outside_a_repository_everything_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert read_source(tmp_path) == Source(commit=None, branch=None, dirty=False, repository=None)


def test_a_repository_without_a_commit_is_unknown(git, tmp_path):
    assert read_source(tmp_path) == Source()


def test_without_git_a_folder_is_unknown_and_a_repository_is_refused(commit, tmp_path, tmp_path_factory, monkeypatch):
    commit()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert read_source(tmp_path_factory.mktemp("elsewhere")) == Source()
    with pytest.raises(ConfigError) as refused:
        read_source(tmp_path)
    assert str(refused.value) == (
        f"git cannot describe {tmp_path}: git is not installed. Without it nobody knows which commit is measured, and "
        "whether the tree is clean. Install git."
    )


def test_a_repository_of_another_user_is_refused_and_not_taken_for_a_clean_one(commit, tmp_path, monkeypatch):
    commit()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ConfigError, match=f"^git cannot describe {tmp_path}: fatal: detected dubious ownership") as no:
        read_source(tmp_path)
    assert str(no.value).endswith(f"in a container: git config --global --add safe.directory {tmp_path}.")


def test_a_repository_whose_index_is_broken_is_refused(commit, tmp_path):
    commit()
    (tmp_path / ".git/index").write_bytes(b"junk")
    with pytest.raises(ConfigError, match=f"^git cannot describe {tmp_path}: "):
        read_source(tmp_path)


def test_a_changed_file_makes_the_tree_dirty(commit, tmp_path):
    commit()
    (tmp_path / "tracked.txt").write_text("two\n")
    assert read_source(tmp_path).dirty


def test_a_staged_change_makes_the_tree_dirty(commit, git, tmp_path):
    commit()
    (tmp_path / "new.txt").write_text("new\n")
    git("add", "new.txt")
    assert read_source(tmp_path).dirty


def test_a_deleted_file_makes_the_tree_dirty(commit, tmp_path):
    commit()
    (tmp_path / "tracked.txt").unlink()
    assert read_source(tmp_path).dirty


def test_the_first_three_changed_files_are_named_and_the_others_counted(commit, git, tmp_path):
    for name in ("a.txt", "b.txt", "d e\u202e.txt", "f.txt", "g.txt"):
        commit(name, text=name * 9)
    git("mv", "a.txt", "a2.txt")
    assert read_source(tmp_path).changed == "a2.txt"
    (tmp_path / "b.txt").unlink()
    (tmp_path / "d e\u202e.txt").write_text("two\n")
    assert read_source(tmp_path).changed == "a2.txt, b.txt, d e .txt"
    (tmp_path / "f.txt").write_text("two\n")
    (tmp_path / "g.txt").write_text("two\n")
    assert read_source(tmp_path).changed == "a2.txt, b.txt, d e .txt and 2 more"


def test_an_untracked_file_does_not(commit, tmp_path):
    commit()
    (tmp_path / "new.txt").write_text("new\n")
    assert not read_source(tmp_path).dirty


def test_changed_baselines_do_not(commit, tmp_path):
    commit()
    commit("baselines/a/run.json")
    (tmp_path / "baselines/a/run.json").write_text("changed\n")
    assert read_source(tmp_path).dirty
    assert not read_source(tmp_path, ignore="baselines").dirty
    (tmp_path / "tracked.txt").write_text("two\n")
    assert read_source(tmp_path, ignore="baselines").dirty


def test_a_change_above_the_folder_makes_the_tree_dirty_too(commit, tmp_path):
    commit()
    commit("sub/file.txt")
    (tmp_path / "tracked.txt").write_text("two\n")
    assert read_source(tmp_path / "sub").dirty
    assert read_source(tmp_path / "sub", ignore="baselines").dirty


def test_a_detached_head_has_no_branch(commit, git, tmp_path):
    name = commit()
    git("checkout", "--quiet", "--detach")
    assert read_source(tmp_path) == Source(commit=name, branch=None)


@pytest.mark.parametrize(
    ("remote", "repository"),
    [
        ("https://github.com/owner/name.git", "owner/name"),
        ("https://github.com/owner/name", "owner/name"),
        ("https://github.com/owner/name/", "owner/name"),
        ("git@github.com:owner/name.git", "owner/name"),
        ("ssh://git@github.com:22/owner/name.git", "owner/name"),
        ("https://user:secret@example.com/group/owner/na.me.git", "owner/na.me"),
        ("name", None),
        ("/srv/git/name.git", None),
        ("file:///srv/git/name.git", None),
        ("../name", None),
    ],
)
def test_the_repository_is_read_from_the_remote_without_host_or_secret(commit, git, tmp_path, remote, repository):
    commit()
    git("remote", "add", "origin", remote)
    assert read_source(tmp_path).repository == repository


def test_a_repository_without_that_remote_has_no_name(commit, git, tmp_path):
    commit()
    git("remote", "add", "upstream", "https://github.com/owner/name.git")
    assert read_source(tmp_path).repository is None


def test_variables_of_a_hook_of_another_repository_do_not_change_the_answer(
    commit, tmp_path, tmp_path_factory, monkeypatch
):
    name = commit()
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init", "--quiet"], cwd=other, check=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "--message", "theirs"], cwd=other, check=True)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert read_source(tmp_path) == Source(commit=name, branch="main", dirty=False, repository=None)
