"""A bare repository of our own inside a clone's `.git`: what is fetched of a branch of baselines stays in there.

A fetch that is one commit deep writes the list of commits where history ends. In the clone's own list it would cut the
history of every branch that shares commits with the one fetched, and call a whole clone shallow. And a partial clone
would leave the files out, which a later step without credentials could not get.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError
from energygate.git import Git

_NAME: Final = "energygate"
_WORTH_KEEPING: Final = re.compile(
    r"(?:url|http|credential|protocol|ssh)\..+|core\.(?:sshcommand|askpass|gitproxy)"
    r"|remote\..+\.(?:url|pushurl|proxy|proxyauthmethod|uploadpack|receivepack|vcs|serveroption)"
)
# In the background it would still run while something is measured; newer versions of git ask for the second one.
_IN_FRONT: Final = ("gc.autoDetach", "maintenance.autoDetach")
_NUMBERED: Final = "GIT_CONFIG_{}_{}"
_COUNT: Final = "GIT_CONFIG_COUNT"


def own_repository(git: Git) -> Git:
    """Give git in the repository of our own in a clone, made if need be. It reaches remotes as the clone does.

    Parameters
    ----------
    git : Git
        At the top of the clone.

    Raises
    ------
    ConfigError
        It cannot be made.
    """
    place = git.folder / git("rev-parse", "--git-common-dir") / _NAME
    if not place.is_dir():
        _make(git, place)
    return replace(git, variables={"GIT_DIR": str(place), **_reaching(git)})


def _make(git: Git, place: Path) -> None:
    """Make it in one step: another job in the same clone may do so too."""
    kind = git.answer("rev-parse", "--show-object-format") or "sha1"
    try:
        with tempfile.TemporaryDirectory(prefix=f"{_NAME}-", dir=place.parent) as folder:
            made = Path(folder) / _NAME
            git("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(made))
            for key in _IN_FRONT:
                replace(git, variables={"GIT_DIR": str(made)})("config", key, "false")
            _put(made, place)
    except OSError as error:
        raise ConfigError(
            f"Cannot make {place}: {error.strerror}.",
            why="Branches of baselines are fetched into it, so that the clone itself stays as it is.",
            fix="Let this user write in the clone's .git.",
        ) from error


def _put(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if not place.is_dir():  # else somebody else was faster
            raise


def _reaching(git: Git) -> Mapping[str, str]:
    """Give the variables that say how the clone reaches remotes, in front of what the environment says of that.

    Not by including its file: a section for the folder of the clone (`includeIf "gitdir:…"`) would not hold in ours.
    """
    given = [
        (git.environ.get(_NUMBERED.format("KEY", number), ""), git.environ.get(_NUMBERED.format("VALUE", number), ""))
        for number in range(_count(git.environ))
    ]
    told: dict[str, str] = {}
    settings = [*_own_settings(git), *given]
    for number, (key, value) in enumerate(settings):
        told |= {_NUMBERED.format("KEY", number): key, _NUMBERED.format("VALUE", number): value}
    return {_COUNT: str(len(settings)), **told}


def _own_settings(git: Git) -> Iterator[tuple[str, str]]:
    """Read what `git config --list --show-scope -z` says of the clone itself: scope, and name and value, in turn."""
    words = git("config", "--list", "--includes", "--show-scope", "-z").split("\0")
    for scope, said in zip(words[::2], words[1::2], strict=False):
        key, is_set, value = said.partition("\n")
        if scope in {"local", "worktree"} and _WORTH_KEEPING.fullmatch(key):
            yield key, value if is_set else "true"


def _count(environ: Mapping[str, str]) -> int:
    count = environ.get(_COUNT, "")
    return int(count) if count.isascii() and count.isdigit() else 0
