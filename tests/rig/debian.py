"""Debian's Prometheus, its exporter and Pushgateway, FUSE tools, a browser: unpacked into a folder, not installed.

    python debian.py FOLDER        needs apt-get and dpkg-deb, no privileges; exits with 1 where something is missing

apt checks the signatures. Where the system's package lists are missing or old, private ones are fetched into FOLDER.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "debian"
# Each with the names that it has had.
PACKAGES = (
    ("prometheus",),
    ("prometheus-node-exporter",),
    ("prometheus-pushgateway",),
    ("fuse3",),
    ("libfuse3-3", "libfuse3-4"),
)
BROWSER = ("chromium-headless-shell",)  # only where no Chromium is installed: it is 59 MB, with all libraries 146 MB
TIMEOUT_S = 300


def program(name: str) -> Path | None:
    """The unpacked program of that name, or else the installed one."""
    unpacked = [FOLDER / folder / name for folder in ("usr/bin", "bin", "usr/sbin", "sbin")]
    installed = shutil.which(name)
    return next((path for path in unpacked if path.exists()), Path(installed) if installed else None)


def unpack(folder: Path) -> list[str]:
    """Fetch and unpack; give what could not be had."""
    if missing := [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]:
        return missing
    archives = folder / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    packages = PACKAGES if shutil.which("chromium") else (*PACKAGES, BROWSER)
    wanted = [names for names in packages if not _fetched(archives, names)]
    if wanted and (wanted := [names for names in wanted if not _fetch(archives, names)]):
        private = _private(folder)
        _apt(archives, *private, "update")
        wanted = [names for names in wanted if not _fetch(archives, names, *private)]
    return [names[0] for names in wanted] + [archive.name for archive in archives.glob("*.deb") if not _open(archive)]


def _open(archive: Path) -> bool:
    done = subprocess.run(["dpkg-deb", "--extract", archive, archive.parent.parent], check=False, capture_output=True)
    if done.returncode != 0:
        archive.unlink()  # cut off by a network that went away: the next run fetches it again
    return done.returncode == 0


def _fetched(archives: Path, names: tuple[str, ...]) -> bool:
    return any(list(archives.glob(f"{name}_*.deb")) for name in names)


def _fetch(archives: Path, names: tuple[str, ...], *options: str) -> bool:
    how = _with_libraries(archives) if names == BROWSER else ("download",)
    return any(_apt(archives, *options, *how, name) for name in names) and _fetched(archives, names)


def _with_libraries(archives: Path) -> tuple[str, ...]:
    """Have a package fetched together with those that it needs and this machine lacks; nothing is installed."""
    (archives / "partial").mkdir(exist_ok=True)
    places = ("-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=true")
    return (*places, "--download-only", "--no-install-recommends", "--yes", "install")


def _private(folder: Path) -> tuple[str, ...]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    places = {
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "Dir::State::status": "/var/lib/dpkg/status",
    }
    return tuple(word for name, place in places.items() for word in ("-o", f"{name}={place}"))


def _apt(cwd: Path, *words: str) -> bool:
    # The sandbox user may not write here; retries would only make a machine without a network wait longer.
    quiet = ["-qq", "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20"]
    try:
        done = subprocess.run(
            ["apt-get", *quiet, *words],
            check=False,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    if without := unpack(Path(sys.argv[1]).resolve()):
        sys.exit(f"no {', '.join(without)}: the tests that need it will skip, and say so")
