import pytest
from fakes import a_report, a_row

from energygate.model import Location, Outcome
from energygate.publishing.places import annotations_of


@pytest.fixture
def top(tmp_path):
    """A repository with files at its top and in two folders below it."""
    for name in ("energygate.yml", "a/energygate.yml", "bench.py", "a/b/bench.py", "a/suite.energy.yml"):
        (file := tmp_path / "widgets" / name).parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "outside.yml").touch()
    return tmp_path / "widgets"


def path_of(top, here, told=None, settings="energygate.yml"):
    """Where the one annotation stands whose benchmark is defined there as it was told."""
    location = None if told is None else Location(file=told, line=3)
    report = a_report(a_row(outcome=Outcome.REGRESSED, location=location))
    (found,) = annotations_of(report, top=top, here=top / here, settings=settings)
    return found.path, found.line


@pytest.mark.parametrize(
    ("here", "told", "path"),
    [
        ("", "bench.py", "bench.py"),
        ("a/b", "bench.py", "a/b/bench.py"),
        ("a", "b/bench.py", "a/b/bench.py"),
        ("a/b", "suite.energy.yml", "a/suite.energy.yml"),
        ("a", "bench.py", "bench.py"),
        ("a/b", "a/b/bench.py", "a/b/bench.py"),
        ("a/b", "gone.py", "gone.py"),
        ("a/b", f"{300 * 'x'}.py", f"{300 * 'x'}.py"),
    ],
)
def test_a_path_begins_at_the_top_wherever_it_was_measured(top, here, told, path):
    assert path_of(top, here, told) == (path, 3)


@pytest.mark.parametrize(
    ("here", "settings", "path"),
    [
        ("", "energygate.yml", "energygate.yml"),
        ("a/b", "energygate.yml", "a/energygate.yml"),
        ("a/b", "../../energygate.yml", "energygate.yml"),
        ("a/b", "../../../outside.yml", "../../../outside.yml"),
    ],
)
def test_what_has_no_place_stands_at_the_settings_file(top, here, settings, path):
    assert path_of(top, here, settings=settings) == (path, 1)


def test_a_settings_file_may_be_named_by_its_whole_path(top):
    assert path_of(top, "a", settings=f"{top}/a/energygate.yml") == ("a/energygate.yml", 1)
