"""Signals that end a job: none gets lost, and SIGTERM and SIGHUP end it as orderly as Ctrl-C does."""

import os
import signal
import threading
from collections.abc import Iterator
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


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Deliver SIGINT, SIGTERM and SIGHUP after the block instead of inside it.

    What a handler raises while the garbage collector runs a finalizer is printed and forgotten: the user's Ctrl-C
    would be lost. Only the main thread handles signals, so elsewhere there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _STOPPING}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in ours:
        signal.signal(number, remember)
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
    for number in came:
        signal.raise_signal(number)
