"""Signals that end a job: none gets lost, and SIGTERM and SIGHUP end it as orderly as Ctrl-C does."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_STOPPING: Final = (signal.SIGINT, *_ENDING)


class Terminated(KeyboardInterrupt):
    """An interrupt with an exit code of its own.

    It is SIGTERM, which `timeout` sends, and whoever stops a container; or SIGHUP, when a terminal is closed.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Make SIGTERM and SIGHUP interrupts, so that what runs is stopped and what was measured is kept.

    A program that handles or ignores one keeps its way. Only the main thread may set handlers.
    """
    with ExitStack() as handled:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                handled.enter_context(_interrupting(number))
        yield


@contextmanager
def _interrupting(own: signal.Signals) -> Iterator[None]:
    if signal.getsignal(own) is not signal.SIG_DFL:
        yield
        return
    ours = os.getpid()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == ours:
            raise Terminated(number)
        signal.signal(number, signal.SIG_DFL)  # what the work has forked ends as it would without us
        signal.raise_signal(number)

    signal.signal(own, interrupt)
    try:
        yield
    finally:
        signal.signal(own, signal.SIG_DFL)


class HeldBack:
    """The handler of signals while they are held back, which remembers them; afterwards it hands them on.

    Parameters
    ----------
    handlers : mapping
        Whose signals they are. Setting these again may itself be interrupted, and then this stays in the place of some.
    """

    def __init__(self, handlers: Mapping[int, Callable[[int, FrameType | None], Any]]) -> None:
        self._handlers = handlers
        self._numbers: list[int] = []
        self.is_over = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take one."""
        if self.is_over:
            self._handlers[number](number, frame)
        else:
            self._numbers.append(number)

    @property
    def came(self) -> bool:
        """Whether any came so far: whoever sent it does not want to wait."""
        return bool(self._numbers)

    def release(self) -> None:
        """Give each signal its own handler again, and deliver what came."""
        self.is_over = True
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for number in self._numbers:
            signal.raise_signal(number)


@contextmanager
def interrupts_held_back() -> Iterator[HeldBack]:
    """Deliver SIGINT, SIGTERM and SIGHUP after the block instead of inside it, also where the block fails.

    What a handler raises while the garbage collector runs a finalizer is printed and forgotten: the user's Ctrl-C
    would be lost. What it raises while processes are stopped would leave them running. Only the main thread handles
    signals, so elsewhere there is nothing to do. A block inside another one leaves the delivery to that.
    """
    ours: dict[int, Callable[[int, FrameType | None], Any]] = {}
    for each in _STOPPING:
        handler = signal.getsignal(each)
        if isinstance(handler, HeldBack) and not handler.is_over:
            yield handler
            return
        if callable(handler):
            ours[each] = handler
    if threading.current_thread() is not threading.main_thread():
        yield HeldBack({})
        return
    held = HeldBack(ours)
    try:
        for number in ours:
            signal.signal(number, held)
        yield held
    finally:
        held.release()
