import pytest

from energygate.errors import ConfigError, MeasurementInvalid
from energygate.meters.base import Domain, Measured, Window
from energygate.meters.replay import Replay

FIX = 'Write {"energy_j": {"package-0": 101.2}, "duration_s": 3.2}, with "benchmark" if it serves one alone.'


@pytest.fixture
def replay(tmp_path, clock):
    def make(*lines):
        (file := tmp_path / "windows.jsonl").write_text("\n".join(lines) + "\n")
        meter = Replay(file, clock=clock)
        meter.open()
        return meter

    return make


def line(energy_j, benchmark=None, duration_s=2.0):
    name = "" if benchmark is None else f'"benchmark": "{benchmark}", '
    return f'{{{name}"energy_j": {{"package-0": {energy_j}}}, "duration_s": {duration_s}}}'


def window(meter, benchmark="b", **more):
    return meter.end(meter.begin(Window(benchmark=benchmark, **more)))


def test_a_benchmark_takes_its_own_lines_first_and_then_those_without_a_name(replay):
    meter = replay(line(1), line(2, "b"), line(3, "c"), line(4), line(5, "b", duration_s=7.0))
    assert [window(meter) for _ in range(3)] == [
        Measured({"package-0": 2.0}, 2.0),
        Measured({"package-0": 5.0}, 7.0),
        Measured({"package-0": 1.0}, 2.0),
    ]
    assert [window(meter, "c"), window(meter, "c")] == [
        Measured({"package-0": 3.0}, 2.0),
        Measured({"package-0": 4.0}, 2.0),
    ]


def test_warm_up_windows_take_no_line(replay):
    meter = replay(line(1))
    assert window(meter, warm_up=True) == Measured()
    assert window(meter) == Measured({"package-0": 1.0}, 2.0)


def test_a_window_that_never_ends_takes_no_line(replay):
    meter = replay(line(1))
    meter.begin(Window(benchmark="b"))
    assert window(meter) == Measured({"package-0": 1.0}, 2.0)


def test_a_file_that_runs_out_is_an_invalid_measurement(replay, tmp_path):
    meter = replay(line(1), line(2, "other"))
    window(meter)
    with pytest.raises(MeasurementInvalid) as invalid:
        window(meter)
    assert str(invalid.value) == (
        f"replay_exhausted: {tmp_path}/windows.jsonl has no line left for b. Add a line for each trial, or ask for "
        "fewer with --energy-trials."
    )


def test_opening_again_plays_from_the_start(replay):
    meter = replay(line(1))
    window(meter)
    meter.open()
    assert window(meter) == Measured({"package-0": 1.0}, 2.0)


def test_domains_are_those_of_the_whole_file(replay):
    meter = replay(
        '{"energy_j": {"package-0": 1, "dram-0": 2}, "duration_s": 1}',
        "",
        '{"benchmark": "g", "energy_j": {"gpu-0": 1, "package-0": 1}, "duration_s": 0}',
    )
    assert meter.domains == (
        Domain(name="package-0", part="cpu"),
        Domain(name="dram-0", part="dram"),
        Domain(name="gpu-0", part="gpu"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("joules", "JSON is malformed: invalid character (byte 0)"),
        ("[1]", "Expected `object`, got `array`"),
        ('{"energy_j": {"a": 1}}', "Object missing required field `duration_s`"),
        ('{"energy_j": {}, "duration_s": 1}', "Expected `object` of length >= 1 - at `$.energy_j`"),
        ('{"energy_j": {"a": 1}, "duration_s": 1, "watts": 1}', "Object contains unknown field `watts`"),
        ('{"energy_j": {"a": -1}, "duration_s": 1}', "Expected `float` >= 0.0 - at `$.energy_j[...]`"),
        ('{"energy_j": {"a": 1}, "duration_s": -0.1}', "Expected `float` >= 0.0 - at `$.duration_s`"),
        ('{"energy_j": {"a": 1e999}, "duration_s": 1}', "Number out of range - at `$.energy_j[...]`"),
        ('{"energy_j": {"a": 1e308}, "duration_s": 1}', "Expected `float` <= 1000000000000.0 - at `$.energy_j[...]`"),
        ('{"energy_j": {"a": 1}, "duration_s": 1e308}', "Expected `float` <= 1000000000.0 - at `$.duration_s`"),
        ('{"energy_j": {"a": NaN}, "duration_s": 1}', "JSON is malformed: invalid character (byte 19)"),
        ('{"energy_j": {"a": "1"}, "duration_s": 1}', "Expected `float`, got `str` - at `$.energy_j[...]`"),
    ],
)
def test_a_line_that_is_no_recorded_window_is_refused_with_its_number(replay, tmp_path, text, said):
    with pytest.raises(ConfigError) as refused:
        replay(line(1), text)
    assert str(refused.value) == (
        f"{tmp_path}/windows.jsonl:2: {said}. A line that is not understood cannot stand for a measurement. {FIX}"
    )


def test_other_domains_than_in_the_first_line_of_the_benchmark_are_refused(replay, tmp_path):
    with pytest.raises(ConfigError) as refused:
        replay(line(1, "b"), line(1), "", '{"benchmark": "b", "energy_j": {"dram-0": 1}, "duration_s": 1}')
    assert str(refused.value) == (
        f"{tmp_path}/windows.jsonl:4: domains dram-0, but line 1 of the same benchmark has package-0. A missing domain "
        "is unknown energy, not zero. Give every line of a benchmark the same domains."
    )


def test_a_benchmark_whose_domains_change_when_it_falls_back_on_lines_without_a_name_is_invalid(replay, tmp_path):
    meter = replay(line(1, "b"), '{"energy_j": {"dram-0": 1}, "duration_s": 1}')
    window(meter)
    with pytest.raises(MeasurementInvalid) as invalid:
        window(meter)
    assert str(invalid.value) == (
        f"read_error: {tmp_path}/windows.jsonl gives b the domains dram-0 after package-0: a missing domain is unknown "
        "energy."
    )


def test_a_file_without_a_window_is_refused(replay, tmp_path):
    with pytest.raises(
        ConfigError, match=r"windows\.jsonl is empty\. There is nothing to replay\. Write one window a line\."
    ):
        replay("", " ")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError) as refused:
        Replay(tmp_path / "nowhere.jsonl").open()
    assert str(refused.value) == (
        f"Cannot read {tmp_path}/nowhere.jsonl: No such file or directory. There is nothing to replay. Name a file of "
        "recorded windows: --energy-meters=replay:FILE."
    )
