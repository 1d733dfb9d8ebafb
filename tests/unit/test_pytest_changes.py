import pytest
from fakes_git import Repository

from energygate.baseline.at_base import BaseCommit
from energygate.pytest_changes import pytest_changes

SAID = "from which pytest takes its root, where energygate.yml is looked for, and options such as --energy-fail-on"


@pytest.fixture
def changes(tmp_path):
    """Give what is said of a change of files, where pytest's root is `bench`."""
    repository = Repository(tmp_path / "project")
    repository.write("bench/test_a.py", "")

    def changed(before, after):
        for name, text in before.items():
            repository.write(name, text)
        base = BaseCommit(commit=repository.commit(), top=repository.folder)
        for name in before.keys() - after.keys():
            (repository.folder / name).unlink()
        for name, text in after.items():
            repository.write(name, text)
        repository.git("add", "--all")
        return pytest_changes([repository.folder.resolve() / "bench"], base)

    return changed


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        ({}, {"pytest.ini": ""}, "adds pytest.ini"),
        ({"bench/pytest.ini": "[pytest]\n"}, {}, "deletes bench/pytest.ini"),
        ({"tox.ini": ""}, {"tox.ini": "[pytest]\naddopts = --energy-fail-on=regressed\n"}, "alters tox.ini"),
        (
            {"bench/setup.cfg": "[tool:pytest]\naddopts = --energy-fail-on\n  no_baseline\n"},
            {"bench/setup.cfg": "[tool:pytest]\naddopts = --energy-fail-on\n  regressed\n"},
            "alters bench/setup.cfg",
        ),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--energy-allow-estimates']\n"},
            {"pyproject.toml": "[tool.pytest.ini_options]\n"},
            "alters pyproject.toml",
        ),
    ],
)
def test_a_change_of_what_pytest_takes_its_root_or_our_options_from_is_named(changes, before, after, how):
    assert changes(before, after) == (f"policy: this change {how}, {SAID}",)


def test_other_changes_of_such_files_and_files_elsewhere_are_of_no_concern(changes):
    options = "[tool.pytest.ini_options]\naddopts = '--energy-only'\n\n[project]\n"
    assert (
        changes(
            {"pyproject.toml": f"{options}version = '1'\n", "docs/x.txt": ""},
            {"pyproject.toml": f"{options}version = '2'\n", "docs/pytest.ini": "[pytest]\n", "setup.cfg": "[flake8]\n"},
        )
        == ()
    )


def test_a_name_that_a_change_brings_is_shown_on_one_line(tmp_path):
    repository = Repository(tmp_path / "project")
    base = BaseCommit(commit=repository.commit(a_txt=""), top=repository.folder)
    (folder := repository.folder / "a\n::error::b").mkdir()
    (folder / "pytest.ini").touch()
    repository.git("add", "--all")
    assert pytest_changes([folder.resolve()], base) == (f"policy: this change adds a ::error::b/pytest.ini, {SAID}",)
