"""The fake GitHub and its clients as fixtures."""

import contextlib
import os

import pytest
from fakes_github import GitHub

PROXY = os.environ.get("ENERGYGATE_JUDGE_URL")
PORT = int(os.environ.get("ENERGYGATE_JUDGED_PORT", "0"))
"""Set by rig/judge.py, whose proxy knows this port."""


@pytest.fixture
def github():
    """A GitHub of acme/widgets with the token ghs_test; the test fails if an exchange breaks GitHub's description."""
    made = GitHub(port=PORT, public_url=PROXY, not_by_proxy=pytest.skip)
    try:
        yield made
    finally:
        made.close()
    assert made.violations == []


@pytest.fixture
def connect(github):
    """Makes Hubs on the fake GitHub."""
    from fakes_hub import Connected  # noqa: PLC0415  loads github3, which few tests need

    with contextlib.ExitStack() as sessions:

        def made(**facts):
            hub = Connected(github, **facts)
            sessions.enter_context(hub.session)
            return hub

        yield made


@pytest.fixture
def hub(connect):
    """A Hub on the fake GitHub; its clock stands still but for the waits that it asks for."""
    return connect()


def pytest_collection_modifyitems(config, items):
    """Before the judge, keep the tests that have something to judge."""
    if PROXY is not None:
        judged = [each for each in items if "github" in each.fixturenames]
        config.hook.pytest_deselected(items=[each for each in items if each not in judged])
        items[:] = judged
