"""What others say of a failed request, without the credentials that it may quote."""

import re
from collections.abc import Mapping
from typing import Final

from energygate.workloads.text import printable

_SECRET: Final = re.compile(r"KEY|SECRET|TOKEN|PASSW|CREDENTIAL|GIT_CONFIG_VALUE", re.IGNORECASE)
_LOGIN: Final = re.compile(r"(?<=://)[^/@\s]+@")
_SHORTEST: Final = 6  # what is shorter is no secret, and stands in any text
_LONGEST: Final = 400


def unspoken(text: str, environ: Mapping[str, str]) -> str:
    """Give a text in one line, with `***` for logins in URLs and for what variables keep that are called secrets.

    Parameters
    ----------
    environ : mapping
        Of whoever made the request.
    """
    shown = _LOGIN.sub("***@", text)
    values = {word for name, value in environ.items() if _SECRET.search(name) for word in (value, *value.split()[-1:])}
    for secret in sorted(values, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            shown = shown.replace(secret, "***")
    return printable(shown, limit=_LONGEST)
