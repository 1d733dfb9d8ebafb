"""The peers, each in a virtual environment of its own below `build/bench-peers`, which is kept."""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "build" / "bench-peers"
REQUIREMENTS = {
    "pyRAPL": "pyRAPL==0.2.3.1",
    "pyJoules": "pyJoules[nvidia]==0.5.1",
    "Zeus": "zeus==0.16.0",
    "CodeCarbon": "codecarbon==3.3.2",
    "perun": "perun==1.0.0",
    "landauer-gap": "landauer-gap==0.8.0",
}
INSTALL_S = 300.0


class MissingError(Exception):
    """Why a peer could not be installed."""


def install(names: Iterable[str] = tuple(REQUIREMENTS)) -> tuple[dict[str, Path], dict[str, str]]:
    """Give the Python of each peer's environment, and why a peer has none."""
    pythons, missing = {}, {}
    for name in names:
        try:
            pythons[name] = python_with(name.lower().removesuffix("-gap"), REQUIREMENTS[name])
        except MissingError as error:
            missing[name] = str(error)
    return pythons, missing


def headings(missing: Mapping[str, str]) -> dict[str, str]:
    """Name and version of each peer that is there."""
    return {
        name: f"{name} {requirement.partition('==')[2]}"
        for name, requirement in REQUIREMENTS.items()
        if name not in missing
    }


def python_with(name: str, requirement: str) -> Path:
    """Give the Python of an environment that holds this alone. Raises MissingError."""
    folder = FOLDER / f"{name}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", requirement]
        try:
            for command in ([sys.executable, "-m", "venv", str(folder)], pip):
                subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise MissingError(_why(error)) from error
        (folder / "complete").touch()
    return python


def _why(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no end after {INSTALL_S:.0f} s"
    return ((error.stderr or error.stdout).strip().splitlines() or ["it did not say why"])[-1]
