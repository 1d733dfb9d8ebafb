"""The fake GitHub as a fixture."""

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


def pytest_collection_modifyitems(config, items):
    """Before the judge, keep the tests that have something to judge."""
    if PROXY is not None:
        judged = [each for each in items if "github" in each.fixturenames]
        config.hook.pytest_deselected(items=[each for each in items if each not in judged])
        items[:] = judged
