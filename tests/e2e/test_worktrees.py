"""Both sides as real git makes them: what they hold, and that nothing else is touched or left."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fakes_git import Repository

from energygate.errors import ConfigError
from energygate.git import Git, commit_of, repository_of
from energygate.measure.interleave import Side
from energygate.measure.worktrees import worktrees

HOLD = """
import sys
from pathlib import Path
from energygate.git import commit_of, repository_of
from energygate.measure.worktrees import worktrees
git = repository_of(Path.cwd())
with worktrees(git, commit_of(git, "HEAD")) as made:
    print(made.folder, flush=True)
    sys.stdin.read()
"""

TERMINATED = """
from energygate.signals import interrupted_by_sigterm
with interrupted_by_sigterm():
    exec({hold!r})
"""
CHILD_OF_GIT = """\
#!/bin/sh
case "$*" in
  *"worktree add"*)
    for folder; do case "$folder" in */base) break;; esac; done
    (while :; do mkdir -p "$folder"; echo more >> "$folder/written"; done) 2> /dev/null &
    touch {started}
    wait;;
esac
exec {git} "$@"
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository in a path with blanks, with two commits and uncommitted changes of every kind."""
    made = Repository(tmp_path / "a project" / "with blanks")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CEILING_DIRECTORIES"):
        monkeypatch.setenv(name, made.environ[name])
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    made.write(".gitignore", "*.o\n")
    made.commit(bench_py="old\n", removed_txt="r\n", staged_txt="s\n")
    made.commit(bench_py="committed\n")
    made.write("bench.py", "uncommitted\n")
    made.write("staged.txt", "staged\n")
    made.git("add", "staged.txt")
    made.write("staged.txt", "staged, then changed\n")
    (made.folder / "removed.txt").unlink()
    made.write("new/un tracked.txt", "u\n")
    made.write("built.o", "o\n")
    made.write("env/pyvenv.cfg", "")
    made.write("env/lib/python/code.py", "")
    made.write("__pycache__/bench.pyc", "")
    made.git("stash", "list")
    return made


def left_in(repository):
    return list(Path(tempfile.gettempdir()).iterdir()), repository.git("worktree", "list").count("\n")


NOTHING = ([], 1)


def open_worktrees(repository, revision="HEAD~1"):
    git = repository_of(repository.folder)
    return worktrees(git, commit_of(git, revision))


def files(root):
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()} | {".git": ""}


def test_the_base_is_the_commit_and_the_head_is_the_working_tree_as_it_is(repository):
    with open_worktrees(repository) as made:
        assert files(made.root(Side.BASE)) == {
            ".git": "",
            ".gitignore": "*.o\n",
            "bench.py": "old\n",
            "removed.txt": "r\n",
            "staged.txt": "s\n",
        }
        assert files(made.root(Side.HEAD)) == {
            ".git": "",
            ".gitignore": "*.o\n",
            "bench.py": "uncommitted\n",
            "staged.txt": "staged, then changed\n",
            "new/un tracked.txt": "u\n",
        }
        assert len(str(made.root(Side.BASE))) == len(str(made.root(Side.HEAD)))


def test_nothing_of_the_users_is_touched_and_nothing_is_left(repository):
    before = repository.state()
    with open_worktrees(repository):
        pass
    assert repository.state() == before
    assert left_in(repository) == NOTHING


def test_a_clean_tree_is_the_head_itself(repository):
    repository.git("checkout", "--quiet", "--force", "HEAD")
    with open_worktrees(repository, "HEAD") as made:
        head = Git(folder=made.root(Side.HEAD))
        assert head("status", "--porcelain", "--untracked-files=no") == ""
        assert (made.root(Side.BASE) / "bench.py").read_text() == (made.root(Side.HEAD) / "bench.py").read_text()


def test_no_hook_of_the_users_runs(repository):
    hook = repository.folder / ".git" / "hooks" / "post-checkout"
    hook.write_text('#!/bin/sh\necho ran > "$GIT_COMMON_DIR/ran" || echo ran > ran\n')
    hook.chmod(0o755)
    with open_worktrees(repository) as made:
        assert not (made.root(Side.BASE) / "ran").exists()
    assert not (repository.folder / ".git" / "ran").exists()


def test_inside_a_hook_the_variables_of_git_lead_to_the_same_sides(repository, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(repository.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository.folder / ".git" / "other-index"))
    with open_worktrees(repository) as made:
        assert (made.root(Side.HEAD) / "bench.py").read_text() == "uncommitted\n"
        assert (made.root(Side.BASE) / "bench.py").read_text() == "old\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_whatever_ends_the_block_nothing_is_left(repository, error):
    before = repository.state()
    with pytest.raises(error), open_worktrees(repository) as made:  # noqa: PT012  the block is what is tested
        locked = made.root(Side.BASE) / "read only"
        locked.mkdir()
        (locked / "file").touch()
        locked.chmod(0o500)
        raise error
    assert left_in(repository) == NOTHING
    assert repository.state() == before


def test_a_base_that_cannot_be_checked_out_leaves_nothing(repository):
    with pytest.raises(ConfigError, match="git worktree failed"), worktrees(Git(folder=repository.folder), "0" * 40):
        pytest.fail("there is no such commit")
    assert left_in(repository) == NOTHING


def test_the_end_asks_no_git_which_the_signal_that_ends_a_run_would_end_too(repository, tmp_path):
    before = repository.state()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.symlink_to(shutil.which("git"))
    git = Git(folder=repository.folder, environ={**os.environ, "PATH": str(program.parent)})
    with worktrees(git, commit_of(git, "HEAD~1")):
        program.unlink()
    assert left_in(repository) == NOTHING
    assert repository.state() == before


def test_a_checkout_that_is_interrupted_ends_with_every_process_of_git(repository, tmp_path):
    started = tmp_path / "started"
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text(CHILD_OF_GIT.format(started=shlex.quote(str(started)), git=shutil.which("git")))
    program.chmod(0o755)
    environ = {
        **repository.environ,
        "TMPDIR": tempfile.gettempdir(),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [sys.executable, "-c", TERMINATED.format(hold=HOLD)]
    with subprocess.Popen(command, cwd=repository.folder, env=environ, stderr=subprocess.PIPE, text=True) as process:
        while not started.exists():
            assert process.poll() is None, process.stderr.read()
        process.terminate()
        said = process.stderr.read()
    assert "Terminated: SIGTERM" in said
    assert left_in(repository) == NOTHING


def test_what_still_runs_in_a_side_ends_with_it(repository):
    with open_worktrees(repository) as made:
        daemon = subprocess.Popen(["sleep", "600"], cwd=made.root(Side.BASE), start_new_session=True)
    assert daemon.wait() == -signal.SIGKILL


def test_what_a_killed_run_left_is_removed_by_the_next_and_a_living_one_is_left_alone(repository):
    environ = {**repository.environ, "TMPDIR": tempfile.gettempdir(), "PYTHONPATH": str(Path(__file__).parents[2])}

    def start():
        command = [sys.executable, "-c", HOLD]
        process = subprocess.Popen(
            command, cwd=repository.folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return process, Path(process.stdout.readline().strip())

    (killed, dead), (other, living) = start(), start()
    with killed, other:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert dead.is_dir()
        with open_worktrees(repository):
            assert not dead.exists()
            assert (living / "base" / "bench.py").exists()
            assert repository.git("worktree", "list").count("\n") == 1 + 4
        other.stdin.close()
        other.wait()
    assert left_in(repository) == NOTHING


def test_worktrees_of_the_users_are_kept_even_where_their_disk_is_away(repository, tmp_path):
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "theirs"))
    (tmp_path / "theirs").rename(tmp_path / "away")
    before = repository.state()
    with open_worktrees(repository):
        pass
    assert repository.state() == before
    assert "theirs" in repository.git("worktree", "list")


def test_other_repositories_are_named_as_left_out(repository):
    Repository(repository.folder / "inner").commit(a_py="")
    with open_worktrees(repository) as made:
        assert made.notes == ("repositories inside the working tree are not copied: inner/",)
        assert not (made.root(Side.HEAD) / "inner").exists()


def test_a_link_is_copied_as_a_link(repository):
    (repository.folder / "link").symlink_to("nowhere")
    with open_worktrees(repository) as made:
        assert (made.root(Side.HEAD) / "link").readlink() == Path("nowhere")


def test_conflicts_are_measured_as_the_files_stand(repository):
    repository.git("stash", "--quiet")
    repository.git("checkout", "--quiet", "-b", "other", "HEAD~1")
    repository.commit(bench_py="theirs\n")
    repository.git("checkout", "--quiet", "main")
    with pytest.raises(subprocess.CalledProcessError):
        repository.git("merge", "other")
    before = repository.state()
    with open_worktrees(repository) as made:
        assert "<<<<<<<" in (made.root(Side.HEAD) / "bench.py").read_text()
    assert repository.state() == before


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nowhere", "There is no commit nowhere here. The base is measured at that commit. Give a commit, a tag or a "),
        ("--all", "There is no commit --all here. "),
        ("HEAD:bench.py", "There is no commit HEAD:bench.py here. "),
        ("^HEAD", "There is no commit ^HEAD here. "),
        ("HEAD~1..HEAD", "There is no commit HEAD~1..HEAD here. "),
        ("", "The base has an empty name. "),
        (" ", "The base has an empty name. "),
    ],
)
def test_a_revision_that_is_no_commit_is_refused_by_name(repository, revision, message):
    with pytest.raises(ConfigError) as refused:
        commit_of(repository_of(repository.folder), revision)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("revision", ["main", "HEAD@{0}", ":/a change", "HEAD^{/a change}", "tagged"])
def test_every_way_of_git_to_name_a_commit_is_understood(repository, revision):
    repository.git("tag", "--annotate", "--message", "a tag", "tagged")
    assert commit_of(repository_of(repository.folder), revision) == repository.git("rev-parse", "HEAD").strip()


def test_a_shallow_clone_is_told_how_to_get_the_rest(repository, tmp_path):
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", f"file://{repository.folder}", tmp_path / "clone"],
        env=repository.environ,
        check=True,
    )
    with pytest.raises(ConfigError, match=r"This clone is shallow: git fetch --unshallow, or fetch-depth: 0"):
        commit_of(repository_of(tmp_path / "clone"), "HEAD~1")


def test_a_folder_outside_any_repository_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match="is in no git working tree"):
        repository_of(tmp_path)


def test_a_temporary_folder_inside_the_repository_is_refused(repository, monkeypatch):
    inside = repository.folder / "tmp"
    inside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(inside))
    with pytest.raises(ConfigError) as refused, open_worktrees(repository):
        pytest.fail("the copies would lie in what they are copies of")
    assert str(refused.value) == (
        f"The temporary folder {inside} lies in the working tree {repository.folder}. Copies below it would find the "
        "configuration, and perhaps the code, of the tree above them. Name another: TMPDIR=DIR."
    )
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_changes_that_git_was_told_not_to_look_at_are_named_as_left_out(repository, flag):
    repository.commit(quiet_txt="q\n", other_txt="o\n")
    repository.git("update-index", flag, "quiet.txt", "other.txt")
    repository.write("quiet.txt", "changed\n")
    before = repository.state()
    with open_worktrees(repository) as made:
        (note,) = made.notes
        assert note == (
            "changes that git was told not to look at are not measured, `git update-index --no-assume-unchanged "
            "--no-skip-worktree FILE` takes that back: quiet.txt"
        )
        assert (made.root(Side.HEAD) / "quiet.txt").read_text() == "q\n"
    assert repository.state() == before


def test_submodules_that_git_would_check_out_by_itself_do_not_stop_it(repository, tmp_path):
    lib = Repository(tmp_path / "lib")
    lib.commit(a_py="")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(lib.folder), "lib")
    repository.commit()
    repository.git("config", "submodule.recurse", "true")
    with open_worktrees(repository, "HEAD") as made:
        assert (made.root(Side.HEAD) / "bench.py").read_text() == "uncommitted\n"
    assert left_in(repository) == NOTHING


@pytest.fixture
def submodule(repository, tmp_path):
    """A submodule of the repository, fetched."""
    lib = Repository(tmp_path / "lib")
    lib.commit(a_py="")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(lib.folder), "a lib")
    repository.commit()
    return repository.folder / "a lib"


@pytest.mark.parametrize("name", ["a.py", "new.py"])
def test_changes_inside_a_submodule_are_named_as_left_out(repository, submodule, name):
    submodule.joinpath(name).write_text("changed\n")
    with open_worktrees(repository, "HEAD") as made:
        assert made.notes == ("uncommitted changes inside a submodule are not measured, commit them there: a lib",)


def test_a_submodule_at_another_commit_is_a_change_like_any(repository, submodule):
    submodule.joinpath("a.py").write_text("changed\n")
    subprocess.run(["git", "commit", "-qam", "a change"], cwd=submodule, env=repository.environ, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=submodule, capture_output=True, text=True, check=True)
    with open_worktrees(repository, "HEAD") as made:
        assert made.notes == ()
        assert commit.stdout.strip() in Git(folder=made.root(Side.HEAD))("ls-files", "--stage", "a lib")


def test_line_ends_that_the_user_lets_no_commit_change_are_no_hindrance(repository):
    repository.git("config", "core.autocrlf", "input")
    repository.git("config", "core.safecrlf", "true")
    (repository.folder / "bench.py").write_bytes(b"uncommitted\r\n")
    with open_worktrees(repository) as made:
        assert (made.root(Side.HEAD) / "bench.py").read_text() == "uncommitted\n"


def a_dead_folder(repository):
    """What a run that was killed has left."""
    environ = {**repository.environ, "TMPDIR": tempfile.gettempdir(), "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=repository.folder,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        folder = Path(process.stdout.readline().strip())
        process.kill()
    return folder


def test_notes_with_relative_paths_are_removed_with_their_folder(repository):
    """As git writes them with worktree.useRelativePaths."""
    with open_worktrees(repository):
        for note in (repository.folder / ".git" / "worktrees").iterdir():
            told = note / "gitdir"
            told.write_text(os.path.relpath(told.read_text().strip(), note) + "\n")
    assert left_in(repository) == NOTHING
    assert not (repository.folder / ".git" / "worktrees").exists()


def test_a_link_with_a_name_like_ours_is_not_followed(repository, tmp_path):
    dead = a_dead_folder(repository)
    theirs = tmp_path / "theirs"
    (theirs / "closed").mkdir(parents=True)
    (theirs / "closed").chmod(0o500)
    planted = dead.with_name(f"{dead.name[:-8]}00000000")
    planted.symlink_to(theirs)
    with open_worktrees(repository):
        pass
    assert (theirs / "closed").stat().st_mode & 0o777 == 0o500
    assert planted.is_symlink()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of another user: it was not shown to be left")
def test_a_folder_of_another_user_with_a_name_like_ours_is_left_alone(repository):
    dead = a_dead_folder(repository)
    (dead / "closed").mkdir(mode=0o500)
    os.chown(dead, 12345, 12345)
    with open_worktrees(repository):
        pass
    assert (dead / "closed").stat().st_mode & 0o777 == 0o500
