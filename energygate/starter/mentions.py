"""Which server of language models a repository's files mention; pure."""

import re
from collections.abc import Iterable
from typing import Final

from energygate.starter.found import ModelServer

# What is found is copied into a file, so it holds nothing that YAML or a suite would read as something else.
_MODEL: Final = r"['\"]?(?P<model>[A-Za-z0-9][\w./:-]{0,199})"
_ADDRESS: Final = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d{2,5}/v1\b")
_STARTED: Final = {
    "vllm": re.compile(rf"(?:\bvllm serve|\bvllm[^\n]*--model[ =])\s*{_MODEL}"),
    "sglang": re.compile(rf"\bsglang[^\n]*--model-path[ =]\s*{_MODEL}"),
    "llama.cpp": re.compile(rf"\bllama-server\b[^\n]*?(?:-m|--model)[ =]\s*{_MODEL}"),
    "ollama": re.compile(rf"\bollama (?:run|pull)\s+{_MODEL}"),
}
_NAMED: Final = {
    "vllm": re.compile(r"(?<![\w.-])vllm(?![\w-])"),
    "sglang": re.compile(r"(?<![\w.-])sglang(?![\w-])"),
    "llama.cpp": re.compile(r"\bllama-server\b|\bllama[_-]cpp\b|\bllama\.cpp\b"),
    "ollama": re.compile(r"(?<![\w.-])ollama(?![\w-])"),
}


def model_server(files: Iterable[tuple[str, str]]) -> ModelServer | None:
    """Give the server that the files mention, one that is started with a model before one that is only named.

    Parameters
    ----------
    files : iterable of (str, str)
        Each file's name and text.
    """
    read = list(files)
    return next((found for look in (_started, _named, _addressed) for found in look(read)), None)


def _started(files: list[tuple[str, str]]) -> Iterable[ModelServer]:
    for file, text in files:
        for name, pattern in _STARTED.items():
            if found := pattern.search(text):
                yield ModelServer(name=name, file=file, model=found["model"])


def _named(files: list[tuple[str, str]]) -> Iterable[ModelServer]:
    for file, text in files:
        yield from (ModelServer(name=name, file=file) for name, pattern in _NAMED.items() if pattern.search(text))


def _addressed(files: list[tuple[str, str]]) -> Iterable[ModelServer]:
    for file, text in files:
        if found := _ADDRESS.search(text):
            yield ModelServer(name="generic", file=file, url=found[0])
