"""How messages spell options: as this shell does, and not as pytest does."""

import re
from typing import Final

_OF_PYTEST: Final = re.compile(r"(?<!pytest --energy )--energy-")  # what names pytest itself stays


def spelt(text: object) -> str:
    """Spell options as this shell does: messages name them as pytest spells them."""
    return _OF_PYTEST.sub("--", str(text))
