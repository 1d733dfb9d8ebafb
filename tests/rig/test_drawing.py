"""What simulated code draws varies as much as is said, and is the same for the same seed."""

from statistics import fmean, stdev

import pytest
from rig.drawing import EXECUTION_SD, SESSION_SD, noise


def of_sessions(seed, *, sessions=60, executions=60):
    return [[noise(seed, str(session), session * 1000 + n) for n in range(executions)] for session in range(sessions)]


def test_executions_and_sessions_vary_as_much_as_is_said():
    sessions = of_sessions("1")
    assert (EXECUTION_SD, SESSION_SD) == (0.02, 0.01)
    assert fmean(stdev(each) for each in sessions) == pytest.approx(EXECUTION_SD, rel=0.05)
    assert stdev(map(fmean, sessions)) == pytest.approx(SESSION_SD, rel=0.3)
    assert fmean(map(fmean, sessions)) == pytest.approx(0.0, abs=0.004)


def test_only_the_seed_the_session_and_the_execution_decide():
    assert of_sessions("1") == of_sessions("1")
    assert len({noise("1", "1", 1), noise("2", "1", 1), noise("1", "2", 1), noise("1", "1", 2)}) == 4
