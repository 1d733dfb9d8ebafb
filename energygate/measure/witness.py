"""Which modules of a Python process come from the user's own tree, where both sides would run the same code.

A copy of this file is the `sitecustomize` of the processes of a first run (`energygate.measure.own_code`): what it
finds is written beside the copy, at once, because a process need not end in an orderly way, and again when one does end
so. Any Python may run it, so it imports nothing of ours.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # so does typing
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_OURS = "energygate"
SITES = {"site-packages", "dist-packages"}
ENVIRONMENT = "pyvenv.cfg"
_CONDA = "conda-meta"


def own_modules(modules: Mapping[str, object], tree: str) -> Iterator[tuple[str, str]]:
    """Give each module of the tree with its file; what is installed in an environment there is no code under test."""
    for name, file in _files(modules):
        real = os.path.realpath(file)
        if is_below(real, tree) and not _is_installed(real, tree):
            yield name, file


def copied_modules(modules: Mapping[str, object], tree: str, path: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give each module, with its file, that is a copy: of a distribution that was installed from the tree."""
    copies = {os.path.realpath(file) for folder in path for file in _files_installed_from(tree, folder)}
    if copies:
        for name, file in _files(modules):
            if os.path.realpath(file) in copies:
                yield name, file


def is_below(path: str, tree: str) -> bool:
    """Whether a path lies in a folder."""
    return path.startswith(tree.rstrip(os.sep) + os.sep)


def is_environment(folder: str) -> bool:
    """Whether a folder is a virtual environment."""
    return any(os.path.exists(os.path.join(folder, name)) for name in (ENVIRONMENT, _CONDA))


def _files(modules: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, module in tuple(modules.items()):
        try:
            # Past a module's own `__getattr__`, which may load what was left for later.
            file = object.__getattribute__(module, "__dict__").get("__file__")
        except AttributeError:
            continue
        if isinstance(file, str) and name.partition(".")[0] != _OURS:
            yield name, file


def _is_installed(real: str, tree: str) -> bool:
    folder = os.path.dirname(real)
    if SITES & set(real.split(os.sep)):
        return True
    while is_below(folder, tree):
        if is_environment(folder):
            return True
        folder = os.path.dirname(folder)
    return False


def _files_installed_from(tree: str, folder: str) -> Iterator[str]:
    """Give the files of each distribution in a folder that `pip install DIRECTORY` copied from the tree."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        info = os.path.join(folder, name)
        if name.endswith(".dist-info") and _is_copy_of(tree, _text(os.path.join(info, "direct_url.json"))):
            for line in _text(os.path.join(info, "RECORD")).splitlines():
                yield os.path.join(folder, line.split(",", 1)[0])


def _is_copy_of(tree: str, told: str) -> bool:
    if not told:
        return False
    import json  # noqa: PLC0415  few environments hold such a distribution
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415

    try:
        said = json.loads(told)
    except ValueError:
        return False
    if "dir_info" not in said or said["dir_info"].get("editable"):
        return False
    source = os.path.realpath(unquote(urlsplit(said["url"]).path))
    return source == tree or is_below(source, tree)


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""


def _watch() -> None:
    import atexit  # noqa: PLC0415

    here = os.path.dirname(os.path.abspath(__file__))
    atexit.register(_report, here)
    if hasattr(sys, "addaudithook"):
        sys.addaudithook(_listener(here))
    open(os.path.join(here, "heard"), "a", encoding="utf-8").close()
    _hand_on(here)


def _listener(here: str) -> Callable[[str, tuple[object, ...]], None]:
    """Give what the interpreter calls for each code that it runs: then the module is known, and has its file."""
    tree = _text(os.path.join(here, "tree"))
    seen: set[object] = set()
    copies: dict[str, set[str]] = {}

    def listen(event: str, args: tuple[object, ...]) -> None:
        if event == "exec":
            file = getattr(args[0], "co_filename", None)
        elif event == "import":  # of what is compiled
            file = args[1]
        else:
            return
        if file not in seen:
            seen.add(file)
            if isinstance(file, str) and _is_of_tree(file, tree, copies):
                _report(here)

    return listen


def _is_of_tree(file: str, tree: str, copies: dict[str, set[str]]) -> bool:
    """Whether a file is code of the tree, or a copy that was installed from there."""
    real = os.path.realpath(file)
    if is_below(real, tree) and not _is_installed(real, tree):
        return True
    words = real.split(os.sep)
    at = next((i for i, word in enumerate(words) if word in SITES), None)
    if at is None:
        return False
    site = os.sep.join(words[: at + 1])
    if site not in copies:
        copies[site] = set()  # what is imported to look there is not asked about
        copies[site].update(map(os.path.realpath, _files_installed_from(tree, site)))
    return real in copies[site]


def _report(here: str) -> None:
    tree = _text(os.path.join(here, "tree"))
    found = [*own_modules(sys.modules, tree), *copied_modules(sys.modules, tree, sys.path)]
    if found:
        with open(os.path.join(here, "found"), "a", encoding="utf-8", errors="surrogateescape") as report:
            report.writelines(f"{name}\t{file}\n" for name, file in found)


def _hand_on(here: str) -> None:
    """Run the user's own `sitecustomize`, which this one hides, as if this one were not there."""
    ours = sys.modules.pop("sitecustomize")
    hiding = [folder for folder in sys.path if os.path.abspath(folder) == here]
    sys.path[:] = [folder for folder in sys.path if folder not in hiding]
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    except ImportError as missing:
        if missing.name != "sitecustomize":
            raise
    finally:
        sys.path[:0] = hiding
        sys.modules.setdefault("sitecustomize", ours)


if __name__ == "sitecustomize":
    _watch()
