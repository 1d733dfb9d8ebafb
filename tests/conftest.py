"""What every test shares: the simulated hardware, signals as a terminal gives them, and examples that CI can repeat."""

import gc
import os
import signal

import pytest
from hypothesis import settings
from rig.loopback import LOOPBACK

pytest_plugins = ["pytester", "rig.fixtures", "rig.storage", "rig.github"]

if os.environ.get("ENERGYGATE_REPEATABLE"):
    # CI judges a change, and draws no lots about it; `make test` elsewhere searches anew each time.
    settings.register_profile("repeatable", derandomize=True)
    settings.load_profile("repeatable")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores SIGINT for what it starts in the background, and children inherit that: the tests of interrupts
    # would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # As under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def _nobody_says_how_text_looks():
    """Let what runs the tests, a CI service above all, not colour or widen what they compare."""
    with pytest.MonkeyPatch.context() as surroundings:
        for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "FORCE_COLOR", "COLUMNS"):
            surroundings.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _nobody_leaves_this_machine():
    """Let what tests start reach this machine alone; pytest-socket keeps themselves here (pyproject.toml)."""
    with pytest.MonkeyPatch.context() as surroundings:
        for name, value in LOOPBACK.items():
            surroundings.setenv(name, value)
        yield


@pytest.fixture(autouse=True, scope="module")
def _collector_looks_at_little():
    """Let the collection before each trial pass over what all the other tests have left in this process."""
    gc.freeze()
