import pytest

from energygate.measure.conditions import Noise, NoiseLimits, noise_in, noisy_throughout
from energygate.measure.load import Load

LIMITS = NoiseLimits(foreign=0.10, pressure=0.20, steal=0.02)


def noise(load, limits=LIMITS):
    found = noise_in(load, limits)
    return None if found is None else str(found.fault)


def test_a_trial_is_noisy_where_other_processes_used_too_much():
    assert noise(Load(foreign=0.234)) == (
        "noisy: other processes used 23.4 % of the machine's CPU time (limit 10 %, noise.foreign)."
    )


def test_a_trial_is_noisy_where_the_hypervisor_took_too_much():
    assert noise(Load(steal=0.05)) == (
        "noisy: the hypervisor gave 5 % of the machine's CPU time to others (limit 2 %, noise.steal)."
    )


def test_a_trial_is_noisy_where_tasks_waited_and_others_were_there_to_wait_for():
    assert noise(Load(foreign=0.06, pressure=0.35)) == (
        "noisy: tasks waited for a processor 35 % of the time while other processes ran (limit 20 %, noise.pressure)."
    )


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load(), id="nothing is known"),
        pytest.param(Load(foreign=0.10, pressure=0.20, steal=0.02), id="each at its limit"),
        pytest.param(Load(foreign=0.109, tick_error=0.01), id="within what a tick on each processor may be wrong by"),
        pytest.param(Load(steal=0.029, tick_error=0.01), id="the same of steal"),
        pytest.param(Load(foreign=0.04, pressure=0.9), id="own threads wait for each other"),
        pytest.param(Load(foreign=0.055, pressure=0.9, tick_error=0.01), id="others, but within the ticks"),
        pytest.param(Load(foreign=None, pressure=0.9), id="nobody knows which processes are ours"),
    ],
)
def test_a_trial_is_quiet_where(load):
    assert noise(load) is None


def test_what_the_hypervisor_took_is_known_whichever_processes_are_ours():
    assert noise(Load(foreign=None, steal=0.5)) is not None


@pytest.mark.parametrize("load", [Load(foreign=1.0), Load(steal=1.0), Load(foreign=1.0, pressure=1.0)])
def test_a_limit_of_the_whole_machine_is_never_exceeded(load):
    assert noise(load, NoiseLimits.none()) is None


def test_a_raised_foreign_limit_raises_what_makes_pressure_noise():
    load = Load(foreign=0.3, pressure=0.9)
    assert noise(load, NoiseLimits(foreign=0.5)).startswith("noisy: tasks waited for a processor 90 % of the time")
    assert noise(load, NoiseLimits(foreign=0.7)) is None


def foreign(share):
    return Noise(kind="foreign", share=share, limit=0.1)


def test_a_noisy_benchmark_says_how_often_how_much_and_what_to_do():
    assert noisy_throughout([foreign(0.31), foreign(0.12), foreign(0.2)], trials=10) == (
        "3 of 10 trials are noisy: other processes used 12 % to 31 % of the machine's CPU time (limit 10 %), and the "
        "counters hold that too. Measure on a runner that does nothing else, or raise noise.foreign."
    )


@pytest.mark.parametrize("kind", ["foreign", "pressure"])
def test_a_noisy_benchmark_says_where_processes_that_do_its_work_elsewhere_can_be_named(kind):
    noises = [Noise(kind=kind, share=0.31, limit=0.1)]
    assert noisy_throughout(noises, trials=1, pids_setting="energy.pids").endswith(
        "Measure on a runner that does nothing else, name the processes that do its work elsewhere (energy.pids), or "
        f"raise noise.{kind}."
    )


def test_what_a_hypervisor_took_is_no_process_that_could_be_named():
    steal = Noise(kind="steal", share=0.06, limit=0.02)
    assert "energy.pids" not in noisy_throughout([steal], trials=1, pids_setting="energy.pids")


def test_the_commonest_noise_of_a_benchmark_is_the_one_that_is_told():
    steal = Noise(kind="steal", share=0.06, limit=0.02)
    assert noisy_throughout([steal, foreign(0.31), steal], trials=3) == (
        "3 of 3 trials are noisy: the hypervisor gave 6 % of the machine's CPU time to others (limit 2 %), and the "
        "counters hold that too. Measure on a runner that does nothing else, or raise noise.steal."
    )
