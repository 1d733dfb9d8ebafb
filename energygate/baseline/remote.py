"""One branch of a remote, read and written without touching the checkout: no file, index, HEAD or branch of it."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from energygate.baseline.unspoken import unspoken
from energygate.errors import BaselineError
from energygate.git import Git

_NO_SUCH_BRANCH: Final = 2  # of `git ls-remote --exit-code`
_QUIETLY: Final = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
_IDENTITY: Final = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "energygate"), ("EMAIL", "energygate@localhost"))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file of a commit: its id, and its size in bytes."""

    id: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBranch:
    """A branch of a remote.

    Attributes
    ----------
    git : Git
        In the repository to fetch into. Its environment carries what credentials there are, or its configuration.
    """

    git: Git
    branch: str
    remote: str = "origin"

    @property
    def ref(self) -> str:
        """Where the branch is kept."""
        return f"refs/energygate/{self.branch}"

    def fetch(self) -> str | None:
        """Get its newest commit, and no older one; None where the remote has no such branch. Raises BaselineError."""
        said = self._fetched()
        if said is not None:
            if not self._is_there():
                return None
            said = self._fetched()  # somebody has made it meanwhile, or held a lock
        if said is not None:
            raise self._unread(said)
        commit = self.kept()
        if commit is None:
            raise self._unread("it points at no commit.")
        return commit

    def kept(self) -> str | None:
        """Give its commit as it was fetched last, or None."""
        return self.git.answer("rev-parse", "--verify", "--quiet", f"{self.ref}^{{commit}}")

    def files(self, commit: str | None) -> Mapping[str, Blob]:
        """Give the files of a commit; none of no commit. Raises BaselineError."""
        if commit is None:
            return {}
        done = self.git.ask("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
        if done.returncode != 0:
            raise _spoilt(
                self.git, f"the files of {commit[:12]} cannot be listed: {self._said(os.fsencode(done.stderr))}"
            )
        return dict(self._files(done.stdout))

    def read(self, ids: Sequence[str]) -> list[bytes]:
        """Give the bytes of files. Raises BaselineError."""
        return read_blobs(self.git, ids)

    def keep(self, data: bytes) -> str:
        """Put a file among git's objects; give its id."""
        done = self.git.ask_bytes("hash-object", "-w", "--no-filters", "--stdin", given=data)
        if done.returncode != 0:
            raise BaselineError(f"git cannot keep a file in {self.git.folder}: {self._said(done.stderr)}.")
        return done.stdout.decode().strip()

    def commit(self, parent: str | None, changes: Mapping[str, str | None], message: str) -> str:
        """Make a commit; give its id.

        Parameters
        ----------
        changes : mapping of path to the id of its new content, or to None to remove it
        """
        with tempfile.TemporaryDirectory(prefix="energygate-") as folder:
            index = str(Path(folder) / "index")
            self.git("read-tree", parent or "--empty", GIT_INDEX_FILE=index)
            self._change(changes, index)
            tree = self.git("write-tree", GIT_INDEX_FILE=index)
        parents = ("-p", parent) if parent else ()
        return self.git("commit-tree", tree, *parents, "-m", message, **_IDENTITY)

    def _change(self, changes: Mapping[str, str | None], index: str) -> None:
        """Alter an index as a list: git removes no file that is named to it where there is no working tree."""
        gone = "0" * len(self.git("hash-object", "--stdin"))  # as long as an id is here
        lines = (f"{100644 if blob else 0} {blob or gone}\t{path}\0" for path, blob in changes.items())
        done = self.git.ask_bytes(
            "update-index", "-z", "--index-info", given="".join(lines).encode(), GIT_INDEX_FILE=index
        )
        if done.returncode != 0:
            raise _spoilt(self.git, f"the files cannot be listed anew: {self._said(done.stderr)}")

    def push(self, commit: str, *options: str, parent: str | None) -> str | None:
        """Put a commit at its top, if `parent` still is there; give what was said where that failed."""
        there = f"refs/heads/{self.branch}"
        lease = f"--force-with-lease={there}:{parent or ''}"
        alone = ("--no-verify", "--no-recurse-submodules", "--no-follow-tags", "--no-signed")
        done = self.git.ask_bytes("push", "--porcelain", *alone, *options, lease, self.remote, f"{commit}:{there}")
        if done.returncode == 0:
            return None
        refusals = (line for line in done.stdout.splitlines() if line.startswith(b"!"))
        return self._said(b"\n".join([*refusals, done.stderr]))

    def moved(self, commit: str) -> None:
        """Remember that this commit is its newest now."""
        self.git("update-ref", self.ref, commit)

    def _fetched(self) -> str | None:
        there = f"+refs/heads/{self.branch}:{self.ref}"
        # An empty --refmap: or git would move the clone's own origin/BRANCH too.
        done = self.git.ask_bytes("fetch", *_QUIETLY, "--depth=1", "--refmap=", self.remote, there)
        return None if done.returncode == 0 else self._said(done.stderr)

    def _is_there(self) -> bool:
        """Whether the remote has the branch, as the remote says it. Raises BaselineError."""
        done = self.git.ask_bytes("ls-remote", "--exit-code", self.remote, f"refs/heads/{self.branch}")
        if done.returncode not in {0, _NO_SUCH_BRANCH}:
            raise self._unread(self._said(done.stderr))
        return done.returncode == 0

    def _files(self, listed: str) -> Iterator[tuple[str, Blob]]:
        """Read what `git ls-tree -l -z` lists: only plain files. Raises BaselineError."""
        for entry in filter(None, listed.split("\0")):
            described, _, path = entry.partition("\t")
            mode, _, blob, size = described.split()
            if mode.startswith("100"):
                if not size.isdecimal():  # git writes BAD there, and goes on
                    raise _spoilt(self.git, f"file {blob} cannot be read.")
                yield path, Blob(id=blob, size=int(size))

    def _unread(self, said: str) -> BaselineError:
        return BaselineError(
            f"Cannot read the baselines of branch {self.branch} at {self.remote}: {said}",
            why="Unread baselines must not look like none.",
            fix=f"`git ls-remote {self.remote}` must answer. A private repository needs credentials: in a workflow, "
            "`contents: read`.",
        )

    def _said(self, stderr: bytes) -> str:
        said = unspoken(os.fsdecode(stderr), self.git.environ).rstrip(".")
        return f"{said or 'git said nothing'}."


def _spoilt(git: Git, what: str) -> BaselineError:
    place = git.variables.get("GIT_DIR", str(git.folder))
    return BaselineError(
        f"git in {place}: {what}",
        why="A run that cannot be read cannot be compared.",
        fix=f"Mend it: git -C {place} fsck." + (" Or remove it: it is fetched anew." if git.variables else ""),
    )


def read_blobs(git: Git, ids: Sequence[str]) -> list[bytes]:
    """Give the bytes of files that a repository has, by their ids. Raises BaselineError."""
    if not ids:
        return []
    done = git.ask_bytes("cat-file", "--batch", given="".join(f"{each}\n" for each in ids).encode())
    found, rest = [], memoryview(done.stdout)
    for each in ids:
        head, _, _ = bytes(rest[:200]).partition(b"\n")
        words = head.split()
        if len(words) != 3:
            raise _spoilt(git, f"there is no file {each}.")
        start, size = len(head) + 1, int(words[2])
        found.append(bytes(rest[start : start + size]))
        rest = rest[start + size + 1 :]
    return found
