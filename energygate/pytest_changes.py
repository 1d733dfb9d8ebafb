"""What the change under test makes of pytest's own settings, where they decide about energy too.

From them pytest takes its root, where `energygate.yml` is looked for, and options: `addopts = --energy-fail-on=…`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from energygate.baseline.at_base import BaseCommit
from energygate.model import POLICY_CHANGE
from energygate.workloads.text import printable

_ITS_OWN: Final = frozenset({"pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "setup.py"})
_SHARED: Final = frozenset({"pyproject.toml", "tox.ini", "setup.cfg"})
_LONGEST: Final = 200


def pytest_changes(places: Iterable[Path], base: BaseCommit) -> tuple[str, ...]:
    """Name each file of settings whose change may move pytest's root, or its options of energygate.

    Parameters
    ----------
    places : iterable of Path
        The root, the working folder and what is collected: files in these and above them count.

    Raises
    ------
    ConfigError
        git does not say what is changed.
    """
    above = {folder for place in places for folder in (place, *place.parents)}
    names = [f":(top,glob)**/{name}" for name in sorted(_ITS_OWN | _SHARED)]
    listed = base.git("diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", base.commit, "--", *names)
    top = base.top.resolve()
    changed = (name for name in listed.split("\0") if name and (top / name).parent in above)
    return tuple(f"{POLICY_CHANGE}{said}" for name in changed for said in _said(name, top, base))


def _said(name: str, top: Path, base: BaseCommit) -> Iterator[str]:
    found = base.git.ask_bytes("cat-file", "blob", f"{base.commit}:{name}")
    before = found.stdout if found.returncode == 0 else None
    now = (top / name).read_bytes() if (top / name).is_file() else None
    if _has_settings(name, before) != _has_settings(name, now) or _options(before) != _options(now):
        how = "adds" if before is None else "deletes" if now is None else "alters"
        yield (
            f"this change {how} {printable(name, limit=_LONGEST)}, from which pytest takes its root, where "
            "energygate.yml is looked for, and options such as --energy-fail-on"
        )


def _has_settings(name: str, text: bytes | None) -> bool:
    return text is not None and (Path(name).name in _ITS_OWN or b"pytest" in text)


def _options(text: bytes | None) -> list[tuple[bytes, bytes]]:
    """Give the lines with our options, each with the next one, where a value may stand."""
    lines = (text or b"").splitlines()
    return [pair for pair in zip(lines, [*lines[1:], b""], strict=False) if b"--energy" in pair[0]]
