import os
import signal
import subprocess
import sys
import time

import msgspec
import pytest

from energygate.errors import MeasurementInvalid
from energygate.meters.base import Window
from energygate.meters.estimate import Estimate
from energygate.meters.group import describe
from energygate.meters.options import Calibration, EstimateOptions
from energygate.meters.processes import others_cpu_s, own_cpu_s

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
# Burns when it is told to, and says so when it is done; it ends with its stdin.
SERVER = (
    "import os, time\nprint(os.getpid(), flush=True)\ninput()\nbegan = time.process_time()\n"
    "while time.process_time() - began < 0.3: pass\nprint('done', flush=True)\ninput()\n"
)
WINDOW = Window(benchmark="b")


@pytest.fixture
def estimate():
    meter = Estimate(EstimateOptions(watts_per_core=10.0))
    meter.open()
    yield meter
    meter.close()


class Server:
    def __init__(self, process):
        self.process = process
        self.pid = int(process.stdout.readline())

    @property
    def cpu_s(self):
        return time.clock_gettime((~self.pid << 3) | 2)

    def work(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def child():
    """A server in our process tree."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Server(process)
        process.kill()


@pytest.fixture
def stranger():
    """A server outside our process tree: the shell that started it is gone before the meter opens."""
    command = ["sh", "-c", 'exec 3<&0; "$0" -c "$1" <&3 & exit', sys.executable, SERVER]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        shell.wait()
        yield Server(shell)


def test_a_child_that_has_ended_costs_its_cpu_seconds(estimate):
    others_s, own_s = others_cpu_s(), own_cpu_s()
    start = estimate.begin(WINDOW)
    subprocess.run([sys.executable, "-c", BURN], check=True)
    energy_j = estimate.end(start).energy_j["cpu-estimate"]
    used_s = others_cpu_s() - others_s
    assert used_s >= 0.3
    # What is more than the child's is our own share of the window, which holds less than the whole of this test.
    assert 10 * used_s - 1e-4 <= energy_j <= 10 * (used_s + own_cpu_s() - own_s)


def test_a_living_child_and_its_own_children_count(estimate):
    grandparent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SERVER!r}])"
    command = [sys.executable, "-c", grandparent]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        grandchild = Server(process)
        start, before_s = estimate.begin(WINDOW), grandchild.cpu_s
        grandchild.work()
        used_s = grandchild.cpu_s - before_s
        energy_j = estimate.end(start).energy_j["cpu-estimate"]
        process.stdin.close()
    assert energy_j >= 10 * used_s - 1e-4 >= 10 * 0.3 - 1e-4


def test_our_own_work_counts(estimate):
    start, before_s = estimate.begin(WINDOW), own_cpu_s()
    while own_cpu_s() - before_s < 0.1:
        pass
    assert estimate.end(start).energy_j["cpu-estimate"] >= 10 * 0.1


def test_a_double_forked_child_stays_in_the_tree(estimate):
    daemonise = (
        f"import os, sys\nif os.fork() == 0:\n    os.setsid()\n    os.execv(sys.executable, ['python', '-c', {BURN!r}])"
    )
    start = estimate.begin(WINDOW)
    subprocess.run([sys.executable, "-c", daemonise], check=True)
    _pid, status, usage = os.wait3(0)  # its own parent is gone, so it is ours to wait for
    assert status == 0
    assert (
        estimate.end(start).energy_j["cpu-estimate"] >= 10 * (usage.ru_utime + usage.ru_stime) - 1e-4 >= 10 * 0.3 - 1e-4
    )


def test_a_stranger_counts_only_where_it_is_named(stranger, estimate):
    own_s = own_cpu_s()
    named, unnamed = estimate.begin(Window(pids=(stranger.pid,))), estimate.begin(WINDOW)
    before_s = stranger.cpu_s
    stranger.work()
    used_s = stranger.cpu_s - before_s
    without_j = estimate.end(unnamed).energy_j["cpu-estimate"]
    with_j = estimate.end(named).energy_j["cpu-estimate"]
    own_s = own_cpu_s() - own_s
    assert used_s >= 0.3
    assert without_j <= 10 * own_s
    assert 10 * used_s - 1e-4 <= with_j <= 10 * (used_s + own_s) + 0.01


def test_a_process_that_is_in_the_tree_and_named_counts_once(estimate, child):
    own_s, before_s = own_cpu_s(), child.cpu_s
    start = estimate.begin(Window(pids=(child.pid,)))
    child.work()
    energy_j = estimate.end(start).energy_j["cpu-estimate"]
    assert 10 * 0.3 <= energy_j <= 10 * (child.cpu_s - before_s + own_cpu_s() - own_s) + 1e-4


def test_a_named_process_that_vanishes_makes_the_window_invalid(estimate, child):
    start = estimate.begin(Window(pids=(child.pid,)))
    child.kill()
    with pytest.raises(MeasurementInvalid) as invalid:
        estimate.end(start)
    assert str(invalid.value) == (
        f"read_error: Process {child.pid}, which does part of the work, is gone: what it used in this window is "
        "unknown."
    )


def test_a_named_process_that_was_gone_at_the_start_makes_that_window_invalid_and_no_other(estimate, child):
    child.kill()
    start, other = estimate.begin(Window(pids=(child.pid,))), estimate.begin(WINDOW)
    with pytest.raises(MeasurementInvalid, match=f"^read_error: Process {child.pid}, "):
        estimate.end(start)
    assert estimate.end(other).energy_j.keys() == {"cpu-estimate"}


def test_a_child_that_ends_without_being_waited_for_makes_the_window_invalid(estimate, child):
    child.work()
    start = estimate.begin(WINDOW)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel drops its CPU seconds
    try:
        child.kill()
    finally:
        signal.signal(signal.SIGCHLD, before)
    with pytest.raises(
        MeasurementInvalid, match=r"^read_error: The CPU seconds of the process tree fell by 0\.[0-9]+ s: "
    ):
        estimate.end(start)


def test_base_power_is_added_for_the_time_of_the_window(clock):
    meter = Estimate(EstimateOptions(watts_per_core=1e-6, base_w=7.0), clock=clock)
    start = meter.begin(WINDOW)
    clock.sleep(2.0)
    assert meter.end(start).energy_j == {"cpu-estimate": pytest.approx(14.0, abs=1e-5)}


def test_it_is_one_domain_and_says_its_constants():
    meter = Estimate(EstimateOptions(watts_per_core=6.5, base_w=20.0))
    (domain,) = meter.domains
    assert (domain.name, domain.part, domain.update_interval_s) == ("cpu-estimate", "cpu", 0.01)
    assert meter.constants == {"watts_per_core": 6.5, "base_w": 20.0, "calibrated": None}


CALIBRATED = Calibration(fingerprint="0123456789ab", r2=0.981, error=0.032, date="2026-11-25")


@pytest.mark.parametrize(
    ("calibrated", "machine", "how_good"),
    [
        (None, "0123456789ab", "not calibrated, so its error is unknown"),
        (CALIBRATED, "0123456789ab", "calibrated 2026-11-25 against rapl: error 3.2 %, R2 0.98"),
        (
            CALIBRATED,
            "ffffffffffff",
            "calibrated on another machine or set-up (0123456789ab), so its error here is unknown",
        ),
    ],
    ids=["never", "here", "elsewhere"],
)
def test_it_says_its_model_and_its_error_wherever_it_shows(calibrated, machine, how_good):
    options = EstimateOptions(watts_per_core=6.5, base_w=20.0, calibrated=calibrated)
    meter = Estimate(options, machine=machine)
    said = f"6.50 W per busy core, 20.0 W base; {how_good}"
    assert describe(meter).detail == f"cpu-estimate: {said}"
    assert meter.notes == (f"an estimate by model, no measurement: {said}.",)


def test_orphans_are_left_to_the_system_again_when_it_is_closed():
    script = (
        "import ctypes\nfrom energygate.meters.estimate import Estimate, EstimateOptions\n"
        "def adopts():\n    answer = ctypes.c_int()\n    ctypes.CDLL(None).prctl(37, ctypes.byref(answer), 0, 0, 0)\n"
        "    return answer.value\n"
        "meter = Estimate(EstimateOptions())\nseen = [adopts()]\nmeter.open()\nseen.append(adopts())\n"
        "meter.close()\nmeter.close()\nseen.append(adopts())\nprint(seen)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert answer.stdout == "[0, 1, 0]\n"


@pytest.mark.parametrize("watts", [0.0, -1.0, float("nan"), float("inf")])
def test_watts_that_no_core_draws_are_refused(watts):
    with pytest.raises(msgspec.ValidationError, match=r"`float` (> 0\.0|<= 1000000\.0)"):
        msgspec.convert({"watts_per_core": watts}, EstimateOptions)


@pytest.mark.parametrize("watts", [-0.1, float("nan"), float("inf")])
def test_base_power_that_no_machine_draws_is_refused(watts):
    with pytest.raises(msgspec.ValidationError, match=r"`float` (>= 0\.0|<= 1000000\.0)"):
        msgspec.convert({"base_w": watts}, EstimateOptions)
