from pathlib import Path

import pytest

from energygate.measure.interleave import Side
from energygate.measure.sides import Place
from energygate.pytest_sides import command


@pytest.fixture
def place(tmp_path):
    tree, root = tmp_path / "tree", tmp_path / "private" / "base"
    (root / "tests").mkdir(parents=True)
    (root / "tests" / "test_a.py").touch()
    return Place(side=Side.BASE, tree=tree, root=root, here=tree, venv=Path("/v"))


def words(place, *arguments, names=("tests/test_a.py::test_one",), here=None, positional=("tests",)):
    made = command(arguments, positional=positional, rootdir=place.tree, here=here or place.tree)
    found = made(place, names)
    return None if found is None else list(found)


def test_the_files_that_hold_the_benchmarks_are_run_as_far_as_they_are_there(place):
    names = ("tests/test_a.py::test_one", "tests/test_a.py::test_two[1-2]", "tests/test_new.py::test_three")
    rootdir = f"--rootdir={place.root}"
    as_module = "import runpy; runpy.run_module('pytest', run_name='__main__', alter_sys=True)"
    assert words(place, "tests", names=names) == [
        "/v/bin/python", "-P", "-c",
        f"import os, sys; sys.path.insert(1, os.getcwd()); {as_module}",
        "--energy", rootdir, "tests/test_a.py",
    ]  # fmt: skip


def test_a_side_without_any_of_the_files_has_nothing_to_run(place):
    assert words(place, names=("tests/test_new.py::test_three",)) is None


def test_from_a_folder_below_the_files_are_named_as_from_there(place):
    below = Place(side=place.side, tree=place.tree, root=place.root, here=place.tree / "tests", venv=place.venv)
    assert words(below, here=place.tree / "tests")[-1] == "test_a.py"


def test_other_options_are_kept_and_those_that_pick_end_or_write_are_not(place):
    given = (
        "-q", "-p", "plugin", "--energy-against=HEAD", "--energy-save", "run.json", "--energy-allow-estimates", "tests",
        "-x", "-k", "one", "--lf", "--junitxml=j.xml", "--junitxml", "j.xml", "--basetemp=/t", "--maxfail=1", "--pdb",
        "-o", "key=value", "--own-option", f"--data={place.tree}/data",
    )  # fmt: skip
    kept = ["-q", "-p", "plugin", "-o", "key=value", "--own-option", f"--data={place.root}/data"]
    assert words(place, *given)[4:-3] == kept
