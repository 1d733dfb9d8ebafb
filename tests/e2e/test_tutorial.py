"""The tutorial, played as a reader would from its first line to its last, on a machine without counters."""

import os
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from rig.documents import ROOT, Document
from rig.transcript import Reader

FEW = {
    "ENERGYGATE_MIN_BLOCKS": "6",
    "ENERGYGATE_MAX_BLOCKS": "6",
    "ENERGYGATE_TRIALS": "5",
    "ENERGYGATE_WARMUP": "0",
}


@pytest.fixture
def reader(tmp_path):
    """Somebody in an empty folder, who has energygate on PATH and a name that git knows."""
    for name in ("home", "sys", "tmp"):
        (tmp_path / name).mkdir()
    (config := tmp_path / "gitconfig").write_text("[user]\n\tname = You\n\temail = you@localhost\n")
    ours = ("GIT_", "GITHUB_", "ENERGYGATE_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours) and name != "CI"}
    environ = (
        kept
        | FEW
        | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p energygate",
            "ENERGYGATE_SYSFS": str(tmp_path / "sys"),  # no counter; and a lock of its own, whoever else measures here
            "TMPDIR": str(tmp_path / "tmp"),
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_CONFIG_SYSTEM": os.devnull,
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }
    )
    return Reader(tmp_path / "home", environ)


@pytest.mark.alone
def test_the_tutorial_ends_in_a_failed_gate_that_is_mended_and_accepted_as_it_says(reader):
    typed = reader.follow(Document(ROOT / "docs/tutorial.md"))
    missing = [f"{each.command}\n{each.printed}\nmissing: {each.missing}" for each in typed if each.missing]
    assert not missing, "\n\n".join(missing)
    failed = [before.command for before, each in pairwise(typed) if each.printed == "1\n"]
    assert len(failed) == 2
    assert "energygate ab" in failed[0]
    assert "pytest --energy-only" in failed[1]
    assert reader.status == 0
