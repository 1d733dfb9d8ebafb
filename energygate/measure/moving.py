"""What lies in the user's tree under the name that it has on a side, wherever a word or a variable names it."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from energygate.errors import ConfigError
from energygate.measure.witness import is_environment
from energygate.workloads.text import printable

# Behind a letter or a slash another path goes on; `-I/include` and `file:///data` are the exceptions.
_BEGINS: Final = r"(?:(?<![\w.~/-])|(?<=//)|(?<=^-\w)|(?<=\s-\w))"
_ENDS: Final = r"(?![\w.-])"
_REST: Final = r"(?P<rest>(?:/[^\s\"':;,|&<>()]*)?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """From the user's tree to a side.

    Attributes
    ----------
    tree : Path
        The top of the user's working tree, without links.
    root : Path
        The top of the side.
    aliases : tuple of str
        What else the top of the tree is called: through a link, say.
    """

    tree: Path
    root: Path
    aliases: tuple[str, ...] = ()

    def path(self, path: str) -> str:
        """Give the path on this side of what lies in the user's tree; other paths stay, and virtual environments."""
        inside = self._inside(path)
        if inside is None or self.in_environment(inside):
            return path
        start = path[: len(path) - len(path.lstrip("/")) - 1]  # file:///data has more than one
        end = "/" if path.endswith("/") else ""
        return f"{start}{self.root / inside.relative_to(self.tree)}{end}"

    def text(self, text: str) -> str:
        """Move every path of the tree in a text that may hold several."""
        inside = self._inside(text)
        if inside is not None and self.in_environment(inside):
            return text
        return self._names.sub(self._moved_match, self.path(text))

    def paths(self, text: str) -> str:
        """Move every path of the tree in a list of paths, or in any other value of a variable."""
        return os.pathsep.join(self.text(each) for each in text.split(os.pathsep)) if "/" in text else text

    def in_environment(self, path: Path) -> bool:
        """Whether a path lies in a virtual environment of the tree, or is one."""
        below = (each for each in (path, *path.parents) if each.is_relative_to(self.tree) and each != self.tree)
        return any(is_environment(str(each)) for each in below)

    def require_moved(self, word: str, environ: Mapping[str, str]) -> None:
        """Refuse a word that names the tree in a way that is not understood here. Raises ConfigError."""
        for form in self._other_forms(environ):
            if re.search(rf"{re.escape(form)}{_ENDS}", word):
                raise ConfigError(
                    f"The command names the working tree itself, as {printable(form)}, in {printable(word)}.",
                    why="Both sides would run the same code, and no change could be seen.",
                    fix="Name it relative to where the command runs, or with its full path and nothing escaped.",
                )

    def _inside(self, path: str) -> Path | None:
        """Where an absolute path leads to in the tree, links above it resolved; None elsewhere."""
        full = Path(path)
        if not full.is_absolute() or "\0" in path:
            return None
        if ".." in full.parts:
            real = Path(os.path.realpath(full))
            return real if real.is_relative_to(self.tree) else None
        for ancestor in (*reversed(full.parents), full):
            real = Path(os.path.realpath(ancestor))
            if real.is_relative_to(self.tree):
                return real / full.relative_to(ancestor)
        return None

    @property
    def _names(self) -> "re.Pattern[str]":
        names = "|".join(map(re.escape, sorted((str(self.tree), *self.aliases), key=len, reverse=True)))
        return re.compile(f"{_BEGINS}(?:{names}){_ENDS}{_REST}")

    def _moved_match(self, match: "re.Match[str]") -> str:
        rest = match["rest"]
        if ".." in rest.split("/"):
            return self.path(match[0])
        inside = Path(f"{self.tree}{rest}")
        return match[0] if self.in_environment(inside) else f"{self.root}{rest}"

    def _other_forms(self, environ: Mapping[str, str]) -> Iterator[str]:
        """How a shell or a URL may write the tree."""
        for name in (str(self.tree), *self.aliases):
            home = environ.get("HOME", "").rstrip("/")
            if home and name.startswith(f"{home}/"):
                below = name[len(home) :]
                yield from (f"{start}{below}" for start in ("~", "$HOME", "${HOME}", '"$HOME"', '"${HOME}"'))
            escaped = re.sub(r"([^\w@%+=:,./-])", r"\\\1", name)
            yield from {escaped, quote(name)} - {name, shlex.quote(name)}


def aliases_of(tree: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What a shell that came through a link calls the top of the tree, if it is another name."""
    told = Path(environ.get("PWD") or "/")
    found = (str(each) for each in (told, *told.parents) if os.path.realpath(each) == str(tree))
    return tuple(each for each in found if each != str(tree))
