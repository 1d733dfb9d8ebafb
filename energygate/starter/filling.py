"""The texts of the first files, and how blanks in them are filled."""

import string
from importlib.resources import files
from typing import Final

_FOLDER: Final = "templates"


class _Blanks(string.Template):
    """Text with blanks written `%%{name}`: workflows are full of `${{ … }}`."""

    delimiter = "%%"


def filled(name: str, **blanks: str) -> str:
    """Give the text of a file, with something in the place of each blank.

    Raises
    ------
    KeyError
        A blank is left.
    """
    text = files("energygate.starter").joinpath(_FOLDER, f"{name}.template").read_text(encoding="utf-8")
    return _Blanks(text).substitute(blanks)
