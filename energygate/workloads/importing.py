"""Other people's code in our own process: finding it, and outliving what it raises."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from energygate.errors import WorkloadError
from energygate.workloads.text import Redactor


class Guarded:
    """A block of foreign code: what it raises is kept in `raised` and ends the block; an interrupt goes on upwards."""

    raised: Exception | SystemExit | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if isinstance(error, Exception | SystemExit):
            self.raised = error
            return True
        return False


def where(error: BaseException, *, folder: Path) -> str:
    """The last line of that folder's code that an exception went through: ``bench.py:12``; empty if none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [(Path(each.filename), each.lineno) for each in frames if Path(each.filename).is_relative_to(folder)]
    return f"{own[-1][0].relative_to(folder)}:{own[-1][1]}" if own else ""


def find_callable(target: str, *, name: str, folder: Path, show: Redactor) -> Callable[..., Any]:
    """Import what ``module:function`` names.

    Parameters
    ----------
    name : str
        The suite's, for messages.
    folder : Path
        Comes first on `sys.path` already.

    Raises
    ------
    WorkloadError
        If it cannot be imported, or is nothing that can be measured.
    """
    module, _, attributes = target.partition(":")
    _refuse_namesake(module.partition(".")[0], name=name, folder=folder)
    importlib.invalidate_caches()
    found: Any = None
    with Guarded() as importing:
        found = importlib.import_module(module)
    if importing.raised is not None:
        error, place = importing.raised, where(importing.raised, folder=folder)
        said = show(f"{type(error).__name__}: {error}") + (f" ({place})" if place else "")
        raise WorkloadError(
            f"{name}: cannot import {module}: {said}.",
            fix="Correct callable, whose module is looked for in the suite file's folder first, or install what it "
            "needs.",
        ) from error
    with Guarded() as finding:
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    if finding.raised is not None:
        raise WorkloadError(f"{name}: {module} has no {attributes}.", fix="Correct callable.") from finding.raised
    return _measurable(found, target=target, name=name)


def require_arguments(function: Callable[..., Any], args: Mapping[str, object], *, target: str, name: str) -> None:
    """Refuse arguments that a function does not take. Raises WorkloadError."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # some that are written in C have none; the first call will tell
    try:
        signature.bind(**args)
    except TypeError as error:
        raise WorkloadError(
            f"{name}: args: {target} cannot be called with them: {error}.", fix="Correct args."
        ) from error


def _measurable(found: Any, *, target: str, name: str) -> Callable[..., Any]:
    if not callable(found):
        raise WorkloadError(f"{name}: {target} is no function, but of type {type(found).__name__}.")
    if inspect.iscoroutinefunction(found) or inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found):
        raise WorkloadError(
            f"{name}: {target} is a coroutine or generator function.",
            why="Calling it does no work yet, so nothing would be measured.",
            fix="Name a function that runs it to its end, for example with asyncio.run.",
        )
    function: Callable[..., Any] = found
    return function


def _refuse_namesake(top: str, *, name: str, folder: Path) -> None:
    """Refuse a module of the folder whose name another one has that is imported already: that one would be measured."""
    wanted = PathFinder.find_spec(top, [str(folder)])
    loaded = getattr(sys.modules.get(top), "__spec__", None)
    if wanted is None or loaded is None or wanted.origin is None or wanted.origin == loaded.origin:
        return
    raise WorkloadError(
        f"{name}: another module named {top} is imported already: {loaded.origin}.",
        why="It would be measured instead of the one beside the suite file.",
        fix="Rename one of them.",
    )
