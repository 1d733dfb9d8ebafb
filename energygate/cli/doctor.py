"""`energygate doctor`."""

import datetime as dt
import sys
from typing import Any

import click
import msgspec

from energygate.calibration import calibrate_estimate, estimate_block
from energygate.cli.options import config_file, own_option, settings_of
from energygate.cli.output import write_out
from energygate.clock import SystemClock
from energygate.config import DEFAULT_FILE
from energygate.measure.calibrate import Calibrator, busy_levels
from energygate.measure.checkup import check_up
from energygate.measure.machine import Roots
from energygate.meters.select import make_meter
from energygate.pipeline import (
    meter_options,
)
from energygate.report.doctor import doctor_document, render_doctor
from energygate.settings import Settings
from energygate.units import format_quantity
from energygate.workloads.suites import TrialOverrides


@click.command()
@click.option("--config", metavar="FILE", help=f"Configuration file (default: {DEFAULT_FILE} if there).")
@click.option("--sysfs", metavar="DIR", help="Where sysfs is mounted.")
@own_option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@own_option("--calibrate", is_flag=True, help="Fit the estimate to rapl and write it to the configuration.")
def doctor(*, as_json: bool, calibrate: bool, **options: Any) -> None:
    """Say what can be measured here, how well, what is missing, and the command that mends it."""
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
        write_out(f"{msgspec.json.format(msgspec.json.encode(doctor_document(found)), indent=2).decode()}\n")
    else:
        write_out(render_doctor(found, color=sys.stdout.isatty()))
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
        ready=lambda: click.echo(begins, err=True),
        tell=lambda level: click.echo(f"{level.busy:.2f} busy: {format_quantity(level.power_w, 'W')}", err=True),
    )
    if as_json:
        found = {"file": str(file), "estimate": estimate}
        write_out(f"{msgspec.json.format(msgspec.json.encode(found), indent=2).decode()}\n")
    else:
        write_out(
            f"written to {file}:\n{estimate_block(estimate)}\n"
            "Numbers of the estimate before are not compared with new ones: record a new baseline.\n"
        )
