import subprocess

import pytest
from fakes import a_benchmark, a_run

from energygate.baseline.revision import git_user, in_another_repository, top_of
from energygate.baseline.store import FolderStore


class Repository:
    """A git repository with a store in it, apart from what git knows of this machine."""

    def __init__(self, folder):
        self.folder = folder
        self.store = FolderStore(folder / "baselines")

    def git(self, *arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)

    def session(self, day):
        run = a_run(a_benchmark(), day=day)
        self.store.add(run)
        return run.run_id

    def commit(self, name):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", name)
        self.git("tag", name)


@pytest.fixture
def repository(tmp_path):
    found = Repository(tmp_path)
    found.git("init", "--quiet")
    return found


def test_the_user_is_whom_git_would_name_in_a_commit(repository):
    repository.git("config", "user.name", "Alice")
    assert git_user(repository.folder) == "Alice"


def test_baselines_in_a_repository_of_their_own_are_said_to_be(repository):
    repository.commit("base")
    own = repository.store.root
    own.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=own, check=True)
    assert in_another_repository(own, top=repository.folder) == (
        f"baselines: {own} belongs to another repository, {own}, so which runs and acceptances this change "
        "brings is not known: all of them count"
    )


def test_baselines_of_the_same_repository_and_outside_of_any_are_nothing_to_speak_of(repository, tmp_path_factory):
    repository.session(1)
    assert in_another_repository(repository.store.root, top=repository.folder) is None
    assert in_another_repository(tmp_path_factory.mktemp("elsewhere"), top=repository.folder) is None


@pytest.mark.parametrize("told", [".git", "/nowhere/.git"])
def test_variables_of_a_hook_do_not_lead_to_another_repository(repository, monkeypatch, told):
    repository.session(1)
    monkeypatch.setenv("GIT_DIR", told)
    assert top_of(repository.store.root) == repository.folder.resolve()
