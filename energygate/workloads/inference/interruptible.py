"""A coroutine in an event loop of its own, which an interrupt ends in order.

Raised inside the loop, an interrupt would end the task that happens to run, and asyncio would print what the others
say of that while the loop closes. asyncio spares one SIGINT this; here no interrupt comes into it.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeVar

T = TypeVar("T")
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end. An interrupt cancels it, and is raised when the loop is closed."""
    interrupts = _Interrupts()
    with _caught(interrupts):
        return asyncio.run(interrupts.cancelling(work))


class _Interrupts:
    """Takes what handlers of signals raise, and cancels the work for it."""

    def __init__(self) -> None:
        self.raised: BaseException | None = None
        self.is_over = False
        self._cancel: Callable[[], object] | None = None

    async def cancelling(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work as a task that an interrupt cancels, also one that came before."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  this is a coroutine
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            if self.raised is not None:
                work.close()
                raise asyncio.CancelledError
            return await work
        finally:
            self._cancel = None  # the loop may be closed

    def wrapped(self, handler: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
        """Give a handler that does what the other does, but for raising it here."""

        def handle(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except (KeyboardInterrupt, SystemExit) as stop:
                if self.is_over:  # setting the handlers again was itself interrupted, and this one has stayed
                    raise
                self.raised = self.raised or stop
                if self._cancel is not None:
                    self._cancel()

        return handle


@contextmanager
def _caught(interrupts: _Interrupts) -> Iterator[None]:
    """Raise after the block what handlers raise inside it. Only the main thread handles signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _STOPPING}
    theirs = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number, handler in theirs.items():
            signal.signal(number, interrupts.wrapped(handler))
        yield
    finally:
        interrupts.is_over = True
        for number, handler in theirs.items():
            signal.signal(number, handler)
        if interrupts.raised is not None:
            raise interrupts.raised from None
