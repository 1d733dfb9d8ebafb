"""A document that is played as a reader would: its files written, its changes applied, its commands typed.

A block of Python whose first line is `# NAME` is that file. A `diff` is a change to apply. In a `console` block each
line after `$ ` is typed into bash, and what follows is what the reader should see: every line of it must be printed, in
that order; `…` stands for lines that are left out, or for the rest of one. Numbers, hashes, the machine's name and the
width of columns may differ. A block below the comment `<!-- not played: WHY -->` is left out.
"""

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rig.documents import Code, Document

_PROMPT = "$ "
_LEFT_OUT = "…"
_FILE = re.compile(r"# (?P<name>[\w./-]+)\n")
_VARIES = re.compile(r"(?<= on )\S+(?= \()|\b[0-9a-f]{12}\b|[-+<\u2212]?\d+(?:[.:]\d+)*(?:e-\d+)?(?: (?:s|min)\b)?")
_DRAWN = re.compile("[▁▂▃▄▅▆▇█]+")


@dataclass(frozen=True, kw_only=True)
class Typed:
    """One command, what it printed, and which lines that a reader was promised it did not print."""

    command: str
    printed: str
    missing: list[str]


@dataclass
class Reader:
    """Somebody at a terminal: the folder that they are in, and how their last command ended."""

    folder: Path
    environ: Mapping[str, str]
    status: int = 0
    typed: list[Typed] = field(default_factory=list)

    def follow(self, document: Document) -> list[Typed]:
        """Do what a document says, from its first line to its last."""
        for code in document.blocks:
            if code.comment.startswith("not played: "):
                continue
            if code.language == "console":
                self.typed += [self._type(command, shown) for command, shown in _commands(code.text)]
            elif code.language == "diff":
                self._apply(code.text)
            elif (name := _FILE.match(code.text)) is not None:
                self._write(name["name"], code)
        return self.typed

    def _apply(self, change: str) -> None:
        subprocess.run(["git", "apply", "-"], cwd=self.folder, env=self.environ, input=change, text=True, check=True)

    def _write(self, name: str, code: Code) -> None:
        (path := self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code.text.partition("\n")[2].lstrip("\n"), encoding="utf-8")

    def _type(self, command: str, shown: list[str]) -> Typed:
        """Type it where the last one left off: in its folder, after its exit status."""
        script = f"(exit {self.status})\n{command}\nstatus=$?\npwd >&9\nexit $status\n"
        where = self.folder / ".." / ".where"
        with where.open("wb") as folder:
            done = subprocess.run(
                ["bash", "-c", f"exec 9>&{folder.fileno()}\n{script}"],
                cwd=self.folder,
                env=self.environ,
                pass_fds=(folder.fileno(),),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        self.folder, self.status = Path(where.read_text().strip()), done.returncode
        alike = _alone if command == "echo $?" else _alike
        return Typed(command=command, printed=done.stdout, missing=_missing(shown, alike(done.stdout), alike))


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    command, shown = "", []
    for line in text.splitlines():
        if line.startswith(_PROMPT):
            if command:
                yield command, shown
            command, shown = line.removeprefix(_PROMPT), []
        else:
            shown.append(line)
    yield command, shown


def _missing(shown: list[str], printed: str, alike: Callable[[str], str]) -> list[str]:
    """Which lines are not in what was printed, each behind the one before it, wherever lines end there."""
    missing, at = [], 0
    for line in shown:
        wanted = alike(line.removesuffix(_LEFT_OUT))
        found = printed.find(wanted, at)
        if found < 0:
            missing.append(line)
        else:
            at = found + len(wanted)
    return missing


def _alike(text: str) -> str:
    return " ".join(_VARIES.sub("#", _DRAWN.sub("#", text)).split())


def _alone(text: str) -> str:
    return f" {text.strip()} "
