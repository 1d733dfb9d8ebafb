"""CPU-bound benchmarks: what a pytest suite measured by energygate looks like.

Run with `pytest --energy examples/pytest_cpu`; without `--energy` each test runs once, unmeasured.
"""

import hashlib
import json
import zlib

import pytest

ROUNDS = 2_000  # make this 3_000 and test_hash_chain costs 1.5 times as much: the gate says so
RECORD = {"id": 7, "tags": ["a", "b", "c"] * 20, "text": "energy " * 200}


def hash_chain(rounds: int) -> bytes:
    """Hash a digest again and again."""
    digest = b"energygate"
    for _ in range(rounds):
        digest = hashlib.sha256(digest).digest()
    return digest


def test_hash_chain(energy):
    """A callable: repeated inside each trial until the trial is long enough."""
    assert len(energy(hash_chain, ROUNDS)) == 32


def test_json_round_trip(energy):
    """A callable with keyword arguments."""
    assert energy(lambda: json.loads(json.dumps(RECORD))) == RECORD


@pytest.mark.energy(min_time=0.5, budget="10%")
def test_compression(energy):
    """Windows of one's own: set-up outside the window stays unmeasured, and requests are counted."""
    payload = json.dumps(RECORD).encode() * 40
    for trial in energy.trials():
        with trial:
            for _ in range(8_000):
                zlib.compress(payload, level=6)
        trial.add(requests=8_000)
