"""Signals that end a job: none gets lost, and SIGTERM ends it as orderly as Ctrl-C does."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which `timeout` sends, and whoever stops a container: an interrupt with an exit code of its own."""

    exit_code: Final = 128 + signal.SIGTERM


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Make SIGTERM an interrupt, so that what runs is stopped and what was measured is kept.

    A program that handles or ignores it keeps its way. Only the main thread may set handlers.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    ours = os.getpid()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == ours:
            raise Terminated(signal.Signals(number).name)
        signal.signal(number, signal.SIG_DFL)  # what the work has forked ends as it would without us
        signal.raise_signal(number)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Deliver SIGINT and SIGTERM after the block instead of inside it.

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
