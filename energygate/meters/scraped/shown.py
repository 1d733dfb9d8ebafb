"""Foreign text as it may be shown: on one line, printable, short, without the token."""

from typing import Final

_LONGEST: Final = 200


def shown(text: str, *, secret: str | None = None) -> str:
    """Make one line of at most 200 printable characters; `secret` becomes ``***``."""
    hidden = text.replace(secret, "***") if secret else text
    line = " ".join("".join(char if char.isprintable() else " " for char in hidden).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
