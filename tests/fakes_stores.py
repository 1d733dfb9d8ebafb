"""Stores of every kind, as several jobs open them: each job has its own way to the same place."""

import uuid

from fakes_git import Repository

from energygate.baseline.branch import BranchStore
from energygate.baseline.objects import open_objects
from energygate.baseline.store import FolderStore
from energygate.clock import SystemClock


class NoTime:
    """A clock whose waiting takes no time, and is remembered."""

    def __init__(self):
        self.waited = []

    def now_s(self):
        return sum(self.waited)

    def sleep(self, seconds):
        self.waited.append(seconds)


class Remote:
    """A bare repository, and clones of it."""

    def __init__(self, folder):
        self.folder = folder
        self.first = Repository(folder / "first")
        self.first.commit(a_txt="a")
        self.bare = folder / "remote.git"
        self.first.git("clone", "--quiet", "--bare", str(self.first.folder), str(self.bare))
        self.clones = 0

    def clone(self):
        """Give a clone."""
        self.clones += 1
        folder = self.folder / f"clone-{self.clones}"
        self.first.git("clone", "--quiet", str(self.bare), str(folder))
        return Repository(folder)

    def git(self, *arguments):
        """Ask the bare repository."""
        return self.first.git("-C", str(self.bare), *arguments)

    def store(self, clone=None, **more):
        """Give the store on its branch, as a job in a clone opens it."""
        clone = clone or self.clone()
        return BranchStore(
            branch="energy-baselines", near=clone.folder, environ=clone.environ, **{"clock": NoTime()} | more
        )

    def files(self):
        """What is on the branch."""
        return self.git("ls-tree", "-r", "--name-only", "energy-baselines").split()


def folder_stores(tmp_path):
    """Give what opens a folder."""
    return lambda: FolderStore(tmp_path / "baselines")


def branch_stores(tmp_path):
    """Give what opens a branch, in a clone of its own each time."""
    remote = Remote(tmp_path)
    return lambda: remote.store(clock=SystemClock())


def memory_stores(_tmp_path):
    """Give what opens storage in this process."""
    uri = f"memory://{uuid.uuid4().hex}/baselines"
    return lambda: open_objects(uri)


def file_stores(tmp_path):
    """Give what opens a folder as if it were object storage."""
    return lambda: open_objects(f"file://{tmp_path}/objects")
