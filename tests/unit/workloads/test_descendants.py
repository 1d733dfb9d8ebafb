import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from energygate.clock import SystemClock
from energygate.workloads.descendants import Descendants
from energygate.workloads.proc import MARK, is_marked, stat_of


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "100"], start_new_session=True, env={**os.environ, MARK: "outer,ours"}) as process:
        while not Path(f"/proc/{process.pid}/environ").read_bytes():  # it is there a moment after the program is
            assert process.poll() is None
        yield process
        process.kill()


def end(descendants):
    return descendants.end(10, clock=SystemClock())


def test_a_mark_is_one_of_those_that_a_process_carries(sleeper):
    assert [is_marked(sleeper.pid, mark) for mark in ("outer", "ours", "our", "outer,ours")] == [
        True,
        True,
        False,
        False,
    ]
    sleeper.kill()
    sleeper.wait()
    assert not is_marked(sleeper.pid, "ours")


def test_what_carries_the_mark_is_ended_wherever_it_is(sleeper):
    ended = os.pidfd_open(sleeper.pid)
    assert end(Descendants(leader=None, mark="ours")) == ()
    assert select.select([ended], [], [], 0)[0]
    os.close(ended)


def test_what_carries_another_mark_is_left_alone(sleeper):
    assert end(Descendants(leader=None, mark="theirs")) == ()
    assert sleeper.poll() is None


def test_a_number_that_another_process_has_got_is_left_alone(sleeper):
    started = stat_of(sleeper.pid).started
    assert end(Descendants(leader=None, mark="theirs", _strays={sleeper.pid: started - 1})) == ()
    assert sleeper.poll() is None


@pytest.mark.parametrize(("reaped_before_its_start", "status"), [(1, None), (0, -15)])
def test_a_group_is_ours_while_one_of_it_is_older_than_the_end_of_its_leader(sleeper, reaped_before_its_start, status):
    reaped = stat_of(sleeper.pid).started - reaped_before_its_start
    left = Descendants(leader=sleeper.pid, mark="theirs", reaped=reaped)
    assert (end(left), end(left)) == ((), ())
    assert sleeper.poll() == status


class Counted(type(Path())):
    """A folder that knows how often it was listed."""

    listed = 0

    def __fspath__(self):
        Counted.listed += 1
        return super().__fspath__()


def test_what_ended_with_its_group_is_looked_for_once(tmp_path):
    assert end(Descendants(leader=4242, mark="ours", reaped=0, proc=Counted(tmp_path))) == ()
    assert Counted.listed == 1


def test_what_left_the_group_but_not_the_session_is_ended_without_parents_and_mark():
    code = "import os; os.fork() and os._exit(0); os.setpgid(0, 0); print(os.getpid(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={},
    ) as leader:
        stray = os.pidfd_open(int(leader.stdout.readline()))
        assert end(Descendants(leader=leader.pid, mark="none")) == ()
        assert select.select([stray], [], [], 0)[0]
        os.close(stray)


def test_those_that_live_are_named_by_number_and_program(sleeper):
    found = Descendants(leader=sleeper.pid, mark="ours")
    assert tuple(found.named(found.living())) == (f"{sleeper.pid} (sleep)",)
