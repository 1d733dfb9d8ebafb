import datetime as dt
from pathlib import Path

import pytest
from fakes_workshop import Workshop

from energygate.calibration import calibrate_estimate, write_into
from energygate.config import read_config
from energygate.config_keys import ConfigFile
from energygate.errors import ConfigError, MeterUnavailable
from energygate.measure.lock import machine_lock
from energygate.measure.machine import Roots, describe_hardware
from energygate.meters.estimate import Estimate
from energygate.meters.options import Calibration, EstimateOptions

FILE = Path("energygate.yml")
FITTED = EstimateOptions(
    watts_per_core=7.31,
    base_w=21.4,
    calibrated=Calibration(fingerprint="123456789012", r2=0.998, error=0.00001, date="2026-11-25"),
)
BLOCK = """\
estimate:
  watts_per_core: 7.31
  base_w: 21.4
  calibrated: {fingerprint: "123456789012", r2: 0.998, error: 0.00001, date: "2026-11-25"}
"""
COMMENTED = """\
# ours
version: 1
estimate:  # of last year
  # a guess
  watts_per_core: 3.0  # or 4
  base_w: 2

# the gate
gate: {budget: 3%}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("version: 1\n", f"version: 1\n{BLOCK}", id="appended"),
        pytest.param("version: 1", f"version: 1\n{BLOCK}", id="no line end"),
        pytest.param(
            "version: 1\nestimate: {base_w: 3}  # mine\nsysfs: /sys\n",
            f"version: 1\n{BLOCK.rstrip()}  # mine\nsysfs: /sys\n",
            id="flow",
        ),
        pytest.param(
            COMMENTED,
            f"# ours\nversion: 1\n# of last year\n# a guess\n# or 4\n{BLOCK}\n# the gate\ngate: {{budget: 3%}}\n",
            id="comments",
        ),
        pytest.param(
            "version: 1\r\nestimate:\r\n  # a guess\r\n  base_w: 2  # and this\r\nsysfs: /sys\r\n",
            f"version: 1\n# a guess\n{BLOCK.rstrip()}  # and this\nsysfs: /sys\n".replace("\n", "\r\n"),
            id="Windows",
        ),
        pytest.param(f"version: 1\n{BLOCK}# end\n", f"version: 1\n{BLOCK}# end\n", id="again"),
    ],
)
def test_the_rest_of_the_file_stays_as_it_is(text, expected):
    assert write_into(text, FITTED, path=FILE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{version: 1}\n",
        "{version: 1, estimate: {base_w: 2}}\n",
        "version: 1\n...\n",
        "version: 1\n? estimate\n: {base_w: 2}\n",
    ],
)
def test_what_cannot_be_edited_by_lines_is_left_alone_and_the_block_is_shown(text):
    with pytest.raises(ConfigError) as caught:
        write_into(text, FITTED, path=FILE)
    assert str(caught.value) == (
        "energygate.yml: the estimate cannot be written into it by lines (braces, an alias or several documents). Put "
        f"this in its place yourself:\n{BLOCK.rstrip()}"
    )


def test_a_file_that_is_broken_is_named():
    with pytest.raises(ConfigError, match=r"^energygate\.yml:2: gate\.budget: "):
        write_into("version: 1\ngate: {budget: 5}\n", FITTED, path=FILE)


TODAY = dt.date(2026, 11, 25)


@pytest.fixture
def workshop(tmp_path, host):
    made = Workshop(tmp_path, host)
    with made.tree:
        yield made


def calibrate(workshop, file):
    heard = []
    estimate = calibrate_estimate(
        workshop.calibrator,
        sysfs=workshop.tree.root,
        file=file,
        today=TODAY,
        ready=lambda: heard.append("ready"),
        tell=lambda level: heard.append(level.wanted),
    )
    return estimate, heard


def test_what_was_found_is_written_to_a_new_file_and_read_from_it(workshop, tmp_path):
    estimate, heard = calibrate(workshop, tmp_path / "energygate.yml")
    assert read_config(tmp_path / "energygate.yml") == ConfigFile(version=1, estimate=estimate)
    assert (estimate.watts_per_core, estimate.base_w) == (9.0, 20.0)
    assert estimate.calibrated == Calibration(
        fingerprint=describe_hardware(Roots(sysfs=workshop.tree.root)).fingerprint,
        r2=1.0,
        error=0.0,
        date="2026-11-25",
    )
    assert heard == ["ready", 0, 1, 2, 0, 1, 2]


def test_it_holds_in_jobs_that_see_no_counter_and_not_where_the_clock_is_set_otherwise(workshop, tmp_path):
    governor = workshop.tree.root / "devices/system/cpu/cpufreq/policy0/scaling_governor"
    governor.parent.mkdir(parents=True)
    governor.write_text("performance\n")
    estimate, _ = calibrate(workshop, tmp_path / "energygate.yml")

    def said():
        machine = describe_hardware(Roots(sysfs=workshop.tree.root)).fingerprint
        return Estimate(estimate, machine=machine).domains[0].detail

    for folder in ("devices/virtual/powercap", "class/powercap"):
        (workshop.tree.root / folder).rename(tmp_path / folder.replace("/", "-"))
    assert said() == "9.00 W per busy core, 20.0 W base; calibrated 2026-11-25 against rapl: error 0 %, R2 1"
    governor.write_text("powersave\n")
    assert "calibrated on another machine or set-up" in said()


def test_a_file_that_cannot_be_edited_costs_no_minute(workshop, tmp_path):
    (file := tmp_path / "energygate.yml").write_text("{version: 1}\n")
    with pytest.raises(ConfigError):
        calibrate(workshop, file)
    assert workshop.clock.slept == []


def test_a_refused_calibration_leaves_the_file_alone(workshop, tmp_path):
    (file := tmp_path / "energygate.yml").write_text(COMMENTED)
    workshop.foreign = 1.0
    with pytest.raises(MeterUnavailable):
        calibrate(workshop, file)
    assert file.read_text() == COMMENTED


def test_it_waits_for_nobody_who_measures_on_the_machine(workshop, tmp_path):
    with (
        machine_lock(workshop.tree.root),
        pytest.raises(MeterUnavailable, match="Another energygate job is measuring on this machine"),
    ):
        calibrate(workshop, tmp_path / "energygate.yml")
    assert workshop.clock.slept == []
