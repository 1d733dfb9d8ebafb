import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from fakes_meters import ConstantPower, counter_reset
from fakes_workshop import Workshop

from energygate.errors import MeterUnavailable
from energygate.measure.calibrate import Fit, Level, busy_levels, busy_processes, fit
from energygate.measure.load import tree_cpu_s
from energygate.meters.base import Window
from energygate.meters.rapl.powercap import Powercap

WHY = (
    "Its watts would describe something else than the work; nothing was written. Calibrate on a quiet machine whose "
    "clock is steady: `energygate doctor` says what is not."
)


def levels(*pairs):
    return [Level(wanted=round(busy), busy=busy, power_w=power_w) for busy, power_w in pairs]


def refusal(call, *arguments):
    with pytest.raises(MeterUnavailable) as caught:
        call(*arguments)
    return str(caught.value).removesuffix(f" {WHY}")


@pytest.mark.parametrize(
    ("processors", "expected"),
    [
        (1, (0, 1, 0, 1, 0, 1)),
        (2, (0, 1, 2, 0, 1, 2)),
        (4, (0, 1, 2, 3, 4)),
        (8, (0, 1, 2, 3, 4, 5, 6, 7, 8)),
        (128, (0, 16, 32, 48, 64, 80, 96, 112, 128)),
        (20, (0, 2, 5, 8, 10, 12, 15, 18, 20)),
    ],
)
def test_levels_go_from_none_to_all_processors_and_are_few_on_a_big_machine(processors, expected):
    assert busy_levels(processors) == expected


def test_a_line_gives_back_its_slope_and_its_base():
    assert fit(levels((0.0, 20.0), (1.0, 27.0), (2.0, 34.0), (4.0, 48.0))) == Fit(
        watts_per_core=pytest.approx(7.0), base_w=pytest.approx(20.0), r2=pytest.approx(1.0), error=pytest.approx(0.0)
    )


def test_the_error_is_the_spread_around_the_line_over_the_mean_power():
    found = fit(levels((0.0, 21.0), (1.0, 26.0), (2.0, 35.0), (3.0, 40.0)))
    # By hand: slope 6.6, base 20.6, residuals 0.4, -1.2, 1.2, -0.4, two degrees of freedom, mean 30.5.
    assert found.watts_per_core == pytest.approx(6.6)
    assert found.base_w == pytest.approx(20.6)
    assert found.error == pytest.approx((3.2 / 2) ** 0.5 / 30.5)
    assert found.r2 == pytest.approx(1 - 3.2 / 221.0)


def test_a_base_below_nothing_is_nothing_and_the_slope_is_that_through_the_origin():
    found = fit(levels((1.0, 9.0), (2.0, 20.0), (3.0, 31.0)))
    assert found.base_w == 0.0
    assert found.watts_per_core == pytest.approx((9 + 40 + 93) / 14)


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        ([(1.0, 20.0), (1.0, 21.0)], "the number of busy processors never changed"),
        (
            [(0.0, 30.0), (1.0, 25.0), (2.0, 20.0)],
            "power does not rise with busy processors (\N{MINUS SIGN}5.00 W per processor)",
        ),
        ([(0.0, 50.0), (1.0, 50.0), (2.0, 50.0)], "power does not rise with busy processors (0 W per processor)"),
        (
            [(0.0, 20.0), (1.0, 60.0), (2.0, 30.0), (3.0, 50.0)],
            "busy processors explain only 18 % of how power changes, not 90 %",
        ),
    ],
)
def test_what_is_no_line_is_refused_with_the_reason(measured, reason):
    assert refusal(fit, levels(*measured)) == f"The estimate cannot be calibrated: {reason}."


@pytest.fixture
def workshop(tmp_path, host):
    made = Workshop(tmp_path, host)
    with made.tree:
        yield made


def test_the_planted_watts_are_found_and_memory_is_not_among_them(workshop):
    found = fit(workshop.measure())
    assert (found.watts_per_core, found.base_w) == (pytest.approx(9.0, rel=1e-3), pytest.approx(20.0, rel=1e-3))
    assert [level.wanted for level in workshop.levels] == [0, 1, 2, 0, 1, 2]


def test_the_little_that_others_use_is_among_the_busy_processors(workshop):
    workshop.foreign = 0.05
    found = fit(workshop.measure())
    assert [level.busy for level in workshop.levels[:3]] == pytest.approx([0.05, 1.05, 2.05], rel=0.05)
    assert (found.watts_per_core, found.base_w) == (pytest.approx(9.0, rel=1e-2), pytest.approx(20.0, rel=1e-2))


def test_a_machine_that_others_use_is_refused(workshop):
    workshop.foreign = 0.4
    assert refusal(workshop.measure) == ("The estimate cannot be calibrated: other processes used 20 % of the machine.")


def test_a_kernel_that_does_not_say_how_busy_it_is_is_refused(workshop, tmp_path):
    workshop.proc = tmp_path / "nowhere"
    workshop.proc.mkdir()
    workshop.write = lambda: None
    assert refusal(workshop.measure) == (
        "The estimate cannot be calibrated: it is not known how busy the processors were."
    )


def test_a_counter_with_a_fault_is_refused_in_its_words(workshop):
    workshop.meter = ConstantPower(workshop, faults={1: counter_reset()})
    assert refusal(workshop.measure) == (
        f"The estimate cannot be calibrated: rapl had a fault: {counter_reset().sentence.rstrip('.')}."
    )


def test_a_counter_that_cannot_be_read_says_why_itself(workshop, tmp_path, host):
    workshop.meter = Powercap(tmp_path / "empty", host=host)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MeterUnavailable, match="No RAPL counters in"):
        workshop.measure()


def test_busy_processes_burn_in_our_own_tree_and_are_gone_afterwards():
    before_s = tree_cpu_s(Window())
    with busy_processes(1):
        while tree_cpu_s(Window()) - before_s < 0.2:
            pass
    assert not children_of(os.getpid())


def test_busy_processes_end_with_an_interrupt():
    seen = []

    def interrupted():
        with busy_processes(2):
            seen.extend(children_of(os.getpid()))
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(seen) == 2
    assert not children_of(os.getpid())


def test_busy_processes_end_with_a_process_that_is_killed():
    text = (
        "import sys\nfrom energygate.measure.calibrate import busy_processes\n"
        "with busy_processes(1):\n    print('busy', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "busy\n"
        [burning] = children_of(process.pid)
        ended = os.pidfd_open(burning)
        process.kill()
        readable, _, _ = select.select([ended], [], [], 30.0)
        os.close(ended)
    assert readable


def children_of(parent):
    """Processes that `parent` has started and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, ppid = stat.read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.append(int(stat.parent.name))
    return found
