"""A real headless Chromium: the installed one, or Debian's headless shell, unpacked by `rig/debian.py`."""

import os
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright
from rig import debian

_LIBRARIES = ("usr/lib", "lib")
_OPTIONS = ("--no-sandbox", "--disable-gpu")  # root in a container has no sandbox


def program() -> Path | None:
    """The browser, if there is one."""
    return debian.program("chromium") or _unpacked()


def _unpacked() -> Path | None:
    found = debian.FOLDER / "usr/lib/chromium/chromium-headless-shell"
    return found if found.exists() else None


@contextmanager
def browser():
    """Start it, for as long as it is needed."""
    folders = [str(path) for name in _LIBRARIES for path in (debian.FOLDER / name).glob("*-linux-*")]
    libraries = {"LD_LIBRARY_PATH": ":".join(folders)} if program() == _unpacked() else {}
    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=program(), args=list(_OPTIONS), env={**os.environ, **libraries}
        )
        try:
            yield started
        finally:
            started.close()


class Page:
    """A page from a file, and what it did that it should not have done.

    Attributes
    ----------
    faults : list of str
        What its console said, errors of its scripts, and requests other than that for the file itself.
    """

    def __init__(self, page, file, link=""):
        self.faults = []
        self.shown = page
        page.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, file.as_uri()))
        page.goto(f"{file.as_uri()}{link}")

    def _asked(self, url, own):
        if url.partition("#")[0] != own:
            self.faults.append(f"asked for {url[:80]}")
