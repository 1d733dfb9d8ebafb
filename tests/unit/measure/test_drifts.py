from energygate.measure.drifts import drifts


def trial(temp_start_c=58, temp_end_c=62, sm_mhz=1755.0):
    return {"gpu-0": {"temp_start_c": temp_start_c, "temp_end_c": temp_end_c, "sm_mhz": sm_mhz}, "cpu": {}}


def test_trials_that_are_alike_have_not_drifted():
    assert drifts([trial(), trial(59, 63, 1740.0), trial()]) == ()


def test_a_hot_trial_and_slow_trials_are_told():
    assert drifts([trial(), trial(70, 72), trial(), trial(sm_mhz=1500.0), trial(sm_mhz=1500.0)]) == (
        "gpu-0: 1 of 5 trials ran 10 °C or more from the usual 60 °C.",
        "gpu-0: 2 of 5 trials ran 10 % or more from the usual SM clock of 1755 MHz.",
    )


def test_each_gpu_has_its_own_usual_state():
    pairs = [{"gpu-0": trial(sm_mhz=mhz)["gpu-0"], "gpu-1": trial()["gpu-0"]} for mhz in (1755.0, 1755.0, 900.0)]
    assert drifts(pairs) == ("gpu-0: 1 of 3 trials ran 10 % or more from the usual SM clock of 1755 MHz.",)


def test_trials_without_gpus_or_without_readings_say_nothing():
    assert drifts([{}, {"cpu": {}}, {"gpu-0": {"sm_mhz": None, "temp_start_c": None, "temp_end_c": None}}]) == ()
