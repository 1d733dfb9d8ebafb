"""Which requests a suite sends, in which order: JSON Lines, or prompts inside the suite file.

The order is kept: in a closed loop the same order gives nearly the same batches.
"""

import hashlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec

from energygate.errors import ConfigError
from energygate.workloads.suites import Message, Prompt, Requests, TextFile
from energygate.workloads.text import printable

MAX_LINES: Final = 100_000
MAX_BYTES: Final = 256 * 2**20
_MOST_BREAKS: Final = 10 * MAX_LINES  # blank lines are no requests, but take their time
_BOM: Final = b"\xef\xbb\xbf"
_SHOWN: Final = 100
_VALUE: Final = re.compile(r"(?<=Invalid enum value) '.*'(?= - at)|(?<=unknown field) `[^`]*[^\w`-][^`]*`", re.DOTALL)
_SHAPE: Final = (
    'A line is {"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}, with optional id, max_tokens.'
)
_CURES: Final = {'"messages" is empty': "Give at least one user message."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes
    ----------
    origin : str
        Where it is written (``prompts.jsonl:3``): messages name this instead of the text.
    messages : tuple of Message
        The conversation of a chat.
    prompt : str or None
        What completions get instead.
    """

    origin: str
    messages: tuple[Message, ...] = field(default=(), repr=False)
    prompt: str | None = field(default=None, repr=False)
    max_tokens: int

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything in it that must not be shown."""
        turns = tuple(message.content for message in self.messages)
        return turns if self.prompt is None else (*turns, self.prompt)


def load_requests(spec: Requests, *, folder: Path, api: Literal["chat", "completions"] = "chat") -> tuple[Request, ...]:
    """Read every request of a suite.

    Raises
    ------
    ConfigError
        Naming file and line of what is wrong.
    """
    if spec.dataset is not None:
        prompts = tuple(_read_lines(folder / spec.dataset, shown=spec.dataset))
    else:
        inline = enumerate(spec.prompts or ())
        prompts = tuple((f"requests.prompts[{n}]", _as_prompt(entry)) for n, entry in inline)
    _refuse_repeated_ids(prompts)
    ask = _chat if api == "chat" else _completion
    return tuple(ask(origin, prompt, max_tokens=prompt.max_tokens or spec.max_tokens) for origin, prompt in prompts)


def load_system(spec: Requests, *, folder: Path) -> str | None:
    """Read the system prompt, if the suite has one; a final line break is not part of it."""
    if not isinstance(spec.system, TextFile):
        return spec.system
    path = folder / spec.system.file
    try:
        _size(path, key="requests.system")
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(
            f"requests.system: cannot read {path}: {why}.", fix="Name a UTF-8 file, relative to the suite file."
        ) from error
    if not text:
        raise ConfigError(f"requests.system: {folder / spec.system.file} is empty.", fix="Write a text, or remove it.")
    return text


def system_digest(text: str) -> str:
    """Twelve hex digits that tell two system prompts apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_prompt(entry: str | Prompt) -> Prompt:
    return Prompt(prompt=entry) if isinstance(entry, str) else entry


def _chat(origin: str, prompt: Prompt, *, max_tokens: int) -> Request:
    messages = prompt.messages or (Message(role="user", content=prompt.prompt or ""),)
    return Request(origin=origin, messages=messages, max_tokens=max_tokens)


def _completion(origin: str, prompt: Prompt, *, max_tokens: int) -> Request:
    if prompt.prompt is None:
        raise ConfigError(
            f'{origin}: "messages" cannot be asked of endpoint.api: completions, which knows prompts alone.',
            fix='Give {"prompt": "…"}, or set endpoint.api: chat.',
        )
    return Request(origin=origin, prompt=prompt.prompt, max_tokens=max_tokens)


def _read_lines(path: Path, *, shown: str) -> Iterator[tuple[str, Prompt]]:
    try:
        if (size := _size(path, key="requests.dataset")) > MAX_BYTES:
            raise ConfigError(f"{shown}: {size} bytes, at most {MAX_BYTES} are read.", fix="Measure a sample of it.")
        content = path.read_bytes().removeprefix(_BOM)
    except OSError as error:
        raise ConfigError(
            f"requests.dataset: cannot read {path}: {error.strerror}.", fix="Paths are relative to the suite file."
        ) from error
    if (breaks := content.count(b"\n")) > _MOST_BREAKS:
        raise ConfigError(
            f"{shown}: {breaks} lines with the blank ones, at most {_MOST_BREAKS} are read.", fix="Remove blank lines."
        )
    filled = [(number, line) for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
    if not filled:
        raise ConfigError(f"{shown}: has no request.", fix='Give one JSON object a line: {"prompt": "…"}.')
    if len(filled) > MAX_LINES:
        raise ConfigError(
            f"{shown}: {len(filled)} requests, at most {MAX_LINES} are read.", fix="Measure a sample of it."
        )
    decoder = msgspec.json.Decoder(Prompt)
    for number, line in filled:
        origin = f"{shown}:{number}"
        yield origin, _decode(decoder, line, origin=origin)


def _size(path: Path, *, key: str) -> int:
    """Give a file's size; a device or a pipe, which may have no end, is refused. Raises ConfigError, OSError."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{key}: {path} is not a regular file.", fix="Paths are relative to the suite file.")
    return status.st_size


def _decode(decoder: "msgspec.json.Decoder[Prompt]", line: bytes, *, origin: str) -> Prompt:
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        what = printable(_VALUE.sub("", str(error)))
        # Without `from`: the error quotes what may be a prompt.
        raise ConfigError(f"{origin}: {what}.", fix=_cure(what)) from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{origin}: not JSON: {error}.", fix=_SHAPE) from error
    except UnicodeDecodeError:
        # Without `from`: the error would carry the line, and with it the prompt, into a traceback.
        raise ConfigError(f"{origin}: not UTF-8.", fix="Save the file as UTF-8.") from None


def _cure(what: str) -> str:
    return next((cure for start, cure in _CURES.items() if what.startswith(start)), _SHAPE)


def _refuse_repeated_ids(prompts: tuple[tuple[str, Prompt], ...]) -> None:
    first: dict[str | int, str] = {}
    for origin, prompt in prompts:
        if prompt.id is None:
            continue
        if prompt.id in first:
            shown = printable(repr(prompt.id), limit=_SHOWN)
            raise ConfigError(
                f"{origin}: id {shown} stands at {first[prompt.id]} already.", fix="Give each request its own id."
            )
        first[prompt.id] = origin
