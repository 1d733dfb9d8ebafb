"""The Markdown that readers see, taken apart as GitHub takes it apart: links, headings, blocks of code, quotations."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
_PARSER = MarkdownIt("commonmark").enable("table")
_EXTERNAL = ("https://", "http://", "mailto:")


@dataclass(frozen=True)
class Code:
    """A block of code, with the line that it begins at and the HTML comment above it, if there is one."""

    language: str
    text: str
    line: int
    comment: str


@dataclass(frozen=True)
class Document:
    """One file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tokens(self) -> list[Token]:
        return _PARSER.parse(self.text)

    @property
    def spans(self) -> Iterator[tuple[int, str]]:
        """Every piece of code within a line, with the line that its paragraph begins at."""
        for line, inline in self._inlines():
            yield from ((line, child.content) for child in inline.children or () if child.type == "code_inline")

    @property
    def links(self) -> Iterator[tuple[int, str]]:
        """Every target of a link or a picture that is no address."""
        for line, inline in self._inlines():
            for child in inline.children or ():
                target = child.attrGet("href") if child.type == "link_open" else child.attrGet("src")
                if target is not None and not str(target).startswith(_EXTERNAL):
                    yield line, str(target)

    @property
    def blocks(self) -> Iterator[Code]:
        """Every block of code."""
        before = ""
        for token in self.tokens:
            if token.type in {"fence", "code_block"}:
                line = (token.map or [0])[0] + 1
                yield Code(language=token.info.strip(), text=token.content, line=line, comment=before)
            before = (
                token.content.strip().removeprefix("<!--").removesuffix("-->").strip() if _is_comment(token) else ""
            )

    @property
    def anchors(self) -> set[str]:
        """What GitHub makes of the headings: the second of a name gets a number."""
        seen: Counter[str] = Counter()
        found = set()
        for before, token in zip(self.tokens, self.tokens[1:], strict=False):
            if before.type == "heading_open":
                said = "".join(child.content for child in token.children or () if child.type != "html_inline")
                slug = re.sub(r"[^\w\- ]", "", said.lower()).replace(" ", "-")
                found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
                seen[slug] += 1
        return found

    def _inlines(self) -> Iterator[tuple[int, Token]]:
        line = 0
        for token in self.tokens:
            line = token.map[0] + 1 if token.map else line
            if token.type == "inline":
                yield line, token


def _is_comment(token: Token) -> bool:
    return token.type == "html_block" and token.content.lstrip().startswith("<!--")


def documents() -> list[Document]:
    """All that the site shows, and the READMEs that it does not."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    found += [*ROOT.glob("benchmarks/**/*.md"), ROOT / "tests/README.md"]
    return [Document(path) for path in sorted(found)]


def spoken() -> list[str]:
    """Every text that stands in the package, and the scripts of the action."""
    modules = (ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.glob("energygate/**/*.py"))
    nodes = (node for module in modules for node in ast.walk(module))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return [*texts, *(step["run"] for step in action["runs"]["steps"])]


def unspoken(message: str, texts: list[str]) -> list[str]:
    """Which pieces of a message nobody says; `…` parts the pieces, for what differs."""
    pieces = [piece.strip() for piece in message.split("…") if piece.strip()]
    return [piece for piece in pieces if not any(piece in text for text in texts)]
