"""`pytest --energy --energy-against=HEAD~1` on counters that the code under test moves, by 2 % more or less each time.

`benchmarks/two_stages.py` does the same many times, and counts how often it is wrong.
"""

import pytest
from fakes_pull_request import Verdict, pull_request

QUICK = ("--energy-trials=6", "--energy-warmup=0")
SIX = "{min_blocks: 6, max_blocks: 6}"


@pytest.fixture
def project(tmp_path):
    with pull_request(tmp_path, seed=1) as made:
        yield made


def test_a_commit_that_uses_a_tenth_more_fails_and_one_that_changes_nothing_passes(project):
    for _ in range(3):
        project.record(*QUICK)
    project.change(1.0, confirm=SIX)
    assert project.gate(*QUICK) == Verdict(status=0, outcome="pass", how="stored", blocks=0)
    project.change(1.1, confirm=SIX)
    assert project.gate(*QUICK) == Verdict(status=1, outcome="regressed", how="interleaved", blocks=6)
