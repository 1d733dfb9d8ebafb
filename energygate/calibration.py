"""Calibrating the estimate, and writing it to `energygate.yml` without touching the rest of the user's file."""

import datetime as dt
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from energygate.config import key_span, parse_config, read_config_text
from energygate.config_keys import ConfigFile
from energygate.errors import ConfigError
from energygate.files import require_writable, write_atomically
from energygate.measure.calibrate import Calibrator, Level, fit
from energygate.measure.lock import machine_lock
from energygate.measure.machine import Roots, describe_hardware
from energygate.meters.options import Calibration, EstimateOptions

_KEY: Final = "estimate"
_COMMENT: Final = re.compile(r"(?:(?<=\s)|^)#[^\r\n]*", re.MULTILINE)  # no value of the block holds such a mark


def calibrate_estimate(
    calibrator: Calibrator,
    *,
    sysfs: Path,
    file: Path,
    today: dt.date,
    tell: Callable[[Level], None],
    ready: Callable[[], object] = lambda: None,
) -> EstimateOptions:
    """Fit the estimate to the counter and write it to `file`, which is made if need be.

    Whatever is wrong with the file is said before anything is measured.

    Parameters
    ----------
    sysfs : Path
        Where sysfs is mounted: which machine is locked and described.
    tell : callable
        Hears of each level.
    ready : callable
        Called when nothing stands in the way any more, before the first level.

    Raises
    ------
    ConfigError
        The file cannot be edited; the message holds what belongs into it.
    MeterUnavailable
        The counter cannot be used, or what was measured is no model.
    """
    require_writable(file)
    write_into(_text(file), EstimateOptions(), path=file)
    levels: list[Level] = []
    with ExitStack() as held:
        held.enter_context(machine_lock(sysfs))
        for level in calibrator.measure(ready):
            levels.append(level)
            tell(level)
    found = fit(levels)
    estimate = EstimateOptions(
        watts_per_core=_rounded(found.watts_per_core),
        base_w=_rounded(found.base_w),
        calibrated=Calibration(
            fingerprint=describe_hardware(Roots(sysfs=sysfs)).fingerprint,
            r2=round(found.r2, 4),
            error=round(found.error, 4),
            date=today.isoformat(),
        ),
    )
    write_atomically(file, write_into(_text(file), estimate, path=file).encode())
    return estimate


def estimate_block(estimate: EstimateOptions) -> str:
    """Write it as YAML. Hexadecimal digits and dates are quoted: YAML takes some for numbers."""
    watts, base = _digits(estimate.watts_per_core), _digits(estimate.base_w)
    lines = [f"{_KEY}:", f"  watts_per_core: {watts}", f"  base_w: {base}"]
    if known := estimate.calibrated:
        fit_words = f"r2: {_digits(known.r2)}, error: {_digits(known.error)}"
        lines.append(f'  calibrated: {{fingerprint: "{known.fingerprint}", {fit_words}, date: "{known.date}"}}')
    return "\n".join(lines)


def write_into(text: str, estimate: EstimateOptions, *, path: Path) -> str:
    """Give the text with this estimate in it: in the place of another, or at the end.

    Comments inside the other are kept above it, also those behind its values. The result is read again: nothing else
    may have changed.

    Raises
    ------
    ConfigError
        The text is no configuration, or is written so that it cannot be edited by its lines.
    """
    before = parse_config(text, path)
    line_end = "\r\n" if "\r\n" in text else "\n"
    block = estimate_block(estimate).replace("\n", line_end)
    if (span := key_span(text, _KEY)) is None:
        gap = "" if text.endswith("\n") else line_end
        edited = f"{text}{gap}{block}{line_end}"
    else:
        start, end = span
        comments = "".join(f"{comment}{line_end}" for comment in _COMMENT.findall(text[start:end]))
        edited = f"{text[:start]}{comments}{block}{text[end:]}"
    if _read(edited, path) != msgspec.structs.replace(before, estimate=estimate):
        raise ConfigError(
            f"{path}: the estimate cannot be written into it by lines (braces, an alias or several documents).",
            fix=f"Put this in its place yourself:\n{estimate_block(estimate)}",
        )
    return edited


def _read(text: str, path: Path) -> ConfigFile | None:
    try:
        return parse_config(text, path)
    except ConfigError:
        return None


def _text(file: Path) -> str:
    return read_config_text(file) if file.exists() else "version: 1\n"


def _digits(value: float) -> str:
    """Write it without an exponent: 1e-05 is text to YAML."""
    return f"{value:f}".rstrip("0").rstrip(".")


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
