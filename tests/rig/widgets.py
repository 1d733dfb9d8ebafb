"""The repository acme/widgets: benchmarks with exact energies, stored sessions, and pull requests against them."""

import json
import shutil
import subprocess

from fakes_git import STEADY, Repository
from fakes_github import FORK_ID

API = "bench/api/test_api.py::test_answer"
WORKER = "bench/worker/test_worker.py::test_work"
COMPRESS = "compress.energy.yml::compress"
UNPACK = "compress.energy.yml::unpack"
NUMBER = 7
NOISY = (60.0, 150.0, 85.0, 140.0, 70.0, 125.0)
"""Joules that prove nothing."""
OURS, FORK = "acme/widgets", "outsider/widgets"
_URL = "https://github.com/acme/widgets.git"
_RECORD = ("--energy-mode=record", "--energy-baselines=git:energy-baselines")
_BENCH = "def test_{name}(energy):\n    energy(sum, [1, 2])\n"
_SUITES = """\
version: 1
suites:
  - {name: compress, kind: command, command: ["true"]}
  - {name: unpack, kind: command, command: ["true"]}
"""
_SETTINGS = """\
version: 1
meters: ['replay:windows.jsonl']
trials: {count: 6, warmup: 0}
confirm: {min_blocks: 6, max_blocks: 6}
"""


class Widgets(Repository):
    """What a commit uses stands in its windows.jsonl, so that base and head use what their commits say."""

    def set_up(self):
        """Make the first commit; give itself back."""
        self.git("remote", "add", "origin", _URL)
        self.write(".gitignore", ".pytest_cache/\n__pycache__/\n")
        self.write("energygate.yml", _SETTINGS)
        self.write("bench/api/test_api.py", _BENCH.format(name="answer"))
        self.write("bench/worker/test_worker.py", _BENCH.format(name="work"))
        self.write("compress.energy.yml", _SUITES)
        self.uses()
        self.commit()
        self.git("clone", "--quiet", "--bare", str(self.folder), str(self.folder.parent / "remote.git"))
        return self

    def uses(self, *, api=1.0, worker=1.0, compress=1.0, unpack=1.0):
        """Write what is used: so many times about 100 J, or these joules."""
        lines = []
        for name, used in ((API, api), (WORKER, worker), (COMPRESS, compress), (UNPACK, unpack)):
            joules = used if isinstance(used, tuple) else [used * each for each in STEADY[:6]]
            lines += [{"benchmark": name, "energy_j": {"package-0": each}, "duration_s": 2.0} for each in joules]
        self.write("windows.jsonl", "\n".join(json.dumps(line) for line in lines))

    def record(self, python):
        """Push to the branch of baselines three sessions of main that differ as days do."""
        for factor in (1.0, 1.004, 0.997):
            self.uses(api=factor, worker=factor, compress=factor, unpack=factor)
            self.commit()
            subprocess.run(
                [python.with_name("pytest"), "--energy-only", "bench", "compress.energy.yml", *_RECORD],
                cwd=self.folder,
                env=self.environ | self.finds,
                check=True,
                capture_output=True,
            )
        self.uses()
        self.commit()

    def keep_baselines(self):
        """Commit what is recorded as a folder of the repository, too."""
        for name in self.recorded():
            self.write(f"baselines/{name}", self._remote("show", f"energy-baselines:{name}"))
        self.commit()

    def copy(self, folder):
        """Give another clone of the same state, and GitHub's own beside it."""
        for name in (self.folder.name, "remote.git"):
            shutil.copytree(self.folder.parent / name, folder / name)
        return Widgets(folder / self.folder.name)

    @property
    def finds(self):
        """The variables that let git find the repository at GitHub, which is a folder here."""
        place = f'[url "{self.folder.parent / "remote.git"}"]\n\tinsteadOf = {_URL}\n'
        (config := self.folder.parent / "gitconfig").write_text(place)
        return {"GIT_CONFIG_GLOBAL": str(config)}

    def recorded(self):
        """The files on the branch of baselines, the oldest first."""
        return self._remote("ls-tree", "-r", "--name-only", "energy-baselines").split()

    def propose(self, **used):
        """Commit to the branch `topic` what a pull request uses, and check out GitHub's merge of it."""
        self.git("checkout", "--quiet", *(["topic"] if self.git("branch", "--list", "topic") else ["-b", "topic"]))
        self.uses(**used)
        self.commit()
        self.git("checkout", "--quiet", "-B", "merged", "main")
        self.git("merge", "--quiet", "--no-ff", "--message", "a merge", "topic")

    def change(self, name, old, new):
        """Replace a text in a file, which has it."""
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def sha(self, revision):
        """Give a commit."""
        return self.git("rev-parse", revision).strip()

    def pull_request(self, action="opened", *, base="main", label=None, repository=OURS):
        """What the event of the pull request tells, be it from a fork."""
        told = {} if label is None else {"label": {"name": label}}
        head = {"ref": "topic", "sha": self.sha("topic"), "repo": {"full_name": repository}}
        base = {"ref": "main", "sha": self.sha(base), "repo": {"full_name": OURS}}
        pull = {"number": NUMBER, "head": head, "base": base}
        return self.event | told | {"action": action, "number": NUMBER, "pull_request": pull}

    def ended_run(self, run_id):
        """What the event of a fork's run tells that has ended."""
        repository = {"id": FORK_ID, "full_name": FORK, "owner": {"login": FORK.partition("/")[0]}}
        head = {"head_sha": self.sha("topic"), "head_branch": "topic", "head_repository": repository}
        run = {"id": run_id, "event": "pull_request", "conclusion": "failure", **head}
        return self.event | {"action": "completed", "workflow_run": run}

    def _remote(self, *arguments):
        """Run git in GitHub's own repository."""
        return self.git("-C", str(self.folder.parent / "remote.git"), *arguments)

    @property
    def event(self):
        """What every event tells."""
        return {"repository": {"full_name": OURS, "default_branch": "main"}}
