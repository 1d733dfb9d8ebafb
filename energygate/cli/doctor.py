"""`energygate doctor`."""

import datetime as dt
import sys
from typing import Any

import click

from energygate.calibration import calibrate_estimate, estimate_block
from energygate.cli.helping import Documented
from energygate.cli.manners import is_quiet
from energygate.cli.options import CONFIG, as_json_option, config_file, own_option, settings_of
from energygate.cli.output import shown
from energygate.cli.writing import tell, write_json, write_out
from energygate.clock import SystemClock
from energygate.measure.calibrate import Calibrator, busy_levels
from energygate.measure.checkup import check_up
from energygate.measure.machine import Roots
from energygate.meters.select import make_meter
from energygate.pipeline import (
    meter_options,
)
from energygate.report.doctor import conclusion, doctor_document, render_doctor
from energygate.settings import Settings
from energygate.units import format_quantity
from energygate.workloads.suites import TrialOverrides


@click.command(cls=Documented)
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--sysfs", metavar="DIR", help="Where sysfs is mounted.")
@as_json_option
@own_option("--calibrate", is_flag=True, help="Fit the estimate to rapl and write it to the configuration.")
def doctor(*, as_json: bool, calibrate: bool, **options: Any) -> None:
    """Say what can be measured here, and how to mend what cannot.

    Exit code 0 says that a run here would measure, 5 that it would not: an estimate is no measurement, even where it
    may decide.
    """
    settings = settings_of(options)
    if calibrate:
        _calibrate(settings, options, as_json=as_json)
        return
    found = check_up(
        meter_options(settings),
        wanted=settings.meters,
        allows_estimates=settings.allow_estimates,
        trials=settings.trials_for("", TrialOverrides()),
        roots=Roots(sysfs=settings.sysfs),
        clock=SystemClock(),
    )
    if as_json:
        write_json(doctor_document(found))
    else:
        display = shown()
        told = render_doctor(found, color=display.color, width=display.width)
        write_out(f"{conclusion(found)}\n" if is_quiet() else told)
    sys.exit(0 if found.can_gate else 5)


def _calibrate(settings: Settings, options: dict[str, Any], *, as_json: bool) -> None:
    calibrator = Calibrator(meter=make_meter("rapl", meter_options(settings)))
    file, windows = config_file(options), len(busy_levels(calibrator.processors))
    begins = (
        f"{windows} windows of {calibrator.seconds:g} s with 0 to {calibrator.processors} processors busy: let nothing "
        "else run."
    )
    estimate = calibrate_estimate(
        calibrator,
        sysfs=settings.sysfs,
        file=file,
        today=dt.datetime.now(dt.UTC).date(),
        ready=lambda: tell(begins),
        tell=lambda level: tell(f"{level.busy:.2f} busy: {format_quantity(level.power_w, 'W')}"),
    )
    if as_json:
        write_json({"file": str(file), "estimate": estimate})
    else:
        write_out(
            f"written to {file}:\n{estimate_block(estimate)}\n"
            "Numbers of the estimate before are not compared with new ones: record a new baseline.\n"
        )
