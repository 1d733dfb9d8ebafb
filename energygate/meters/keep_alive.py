"""The thread that reads counters often enough to see every wrap-around."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class KeepAlive:
    """A daemon thread that calls `refresh` every `every_s` seconds; start and stop it with `with`.

    A thread of this process and no helper process: one that polls loses the race when a wrap-around comes just before
    the end of a window.
    """

    def __init__(self, refresh: Callable[[], None], *, every_s: float, name: str) -> None:
        self._refresh = refresh
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"energygate-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():  # it is not in a process that was forked from its own
            self._stop.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._refresh()
