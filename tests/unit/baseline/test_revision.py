import subprocess

import pytest
from fakes import a_benchmark, a_run

from energygate.baseline.revision import git_user, in_another_repository, runs_at
from energygate.baseline.store import FolderStore
from energygate.errors import ConfigError


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


def test_the_runs_of_a_revision_are_those_that_it_holds(repository):
    old = repository.session(1)
    repository.commit("base")
    repository.session(2)
    repository.commit("change")
    repository.session(3)
    assert runs_at(repository.store.root, "base", top=repository.folder) == frozenset({old})


def test_runs_that_git_ignores_come_from_elsewhere_and_not_from_the_change(repository):
    (repository.folder / ".gitignore").write_text("/baselines/\n")
    repository.commit("base")
    run_id = repository.session(1)
    assert runs_at(repository.store.root, "base", top=repository.folder) == frozenset({run_id})


def test_a_revision_that_is_not_there_is_refused(repository):
    repository.session(1)
    with pytest.raises(ConfigError) as refused:
        runs_at(repository.store.root, "nowhere", top=repository.folder)
    assert str(refused.value) == (
        "git knows no revision 'nowhere'. Without it nobody can tell which increases were accepted before this change. "
        "Fetch it: git fetch origin; in a workflow, `fetch-depth: 0`."
    )


def test_without_a_folder_or_a_repository_nothing_is_known(tmp_path):
    assert runs_at(tmp_path / "baselines", "HEAD", top=tmp_path) is None
    FolderStore(tmp_path / "baselines").add(a_run(a_benchmark()))
    assert runs_at(tmp_path / "baselines", "HEAD", top=tmp_path) is None


def test_the_user_is_whom_git_would_name_in_a_commit(repository):
    repository.git("config", "user.name", "Alice")
    assert git_user(repository.folder) == "Alice"


def test_baselines_in_a_repository_of_their_own_say_nothing_of_a_revision_of_this_one(repository):
    repository.commit("base")
    own = repository.store.root
    own.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=own, check=True)
    assert runs_at(own, "base", top=repository.folder) is None
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
    run_id = repository.session(1)
    repository.commit("base")
    monkeypatch.setenv("GIT_DIR", told)
    assert runs_at(repository.store.root, "base", top=repository.folder) == frozenset({run_id})
