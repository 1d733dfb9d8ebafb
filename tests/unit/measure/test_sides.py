import os
import sys
from dataclasses import replace

import pytest

from energygate.errors import ConfigError
from energygate.measure.interleave import Side
from energygate.measure.moving import aliases_of
from energygate.measure.sides import Place


@pytest.fixture
def place(tmp_path):
    """A user who stands in a folder of a tree that holds a virtual environment, and one side of it."""
    tree, root = tmp_path / "tree", tmp_path / "private" / "base"
    for folder in (tree / "tools", tree / ".venv" / "bin", tree / "bin", root / "src"):
        folder.mkdir(parents=True)
    (tree / ".venv" / "pyvenv.cfg").touch()
    (tree / ".venv" / "bin" / "python").touch()
    return Place(side=Side.BASE, tree=tree, root=root, here=tree / "tools")


def test_paths_of_the_users_tree_become_the_sides_own(place):
    tree, root = place.tree, place.root
    words = place.words(["bench", f"{tree}/a.py", f"--data={tree}/data", "tools/b.py", "/etc/hosts", f"{tree}x/c.py"])
    assert words == ["bench", f"{root}/a.py", f"--data={root}/data", "tools/b.py", "/etc/hosts", f"{tree}x/c.py"]


def test_a_virtual_environment_of_the_users_tree_is_shared(place):
    tree = place.tree
    assert place.words(["../.venv/bin/python", "b.py"]) == [f"{tree}/tools/../.venv/bin/python", "b.py"]
    assert place.words([f"{tree}/.venv/bin/python"]) == [f"{tree}/.venv/bin/python"]


def test_a_virtual_environment_is_shared_also_where_a_variable_or_a_script_names_it(place):
    tree = place.tree
    (tree / ".conda" / "conda-meta").mkdir(parents=True)
    found = place.environment({"VIRTUAL_ENV": f"{tree}/.venv", "CONDA_PREFIX": f"{tree}/.conda"}, {})
    assert (found["VIRTUAL_ENV"], found["CONDA_PREFIX"]) == (f"{tree}/.venv", f"{tree}/.conda")
    assert place.words(["sh", "-c", f"{tree}/.venv/bin/python b.py"])[-1] == f"{tree}/.venv/bin/python b.py"


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        ("{tree}/a.py", "{root}/a.py"),
        ("{link}/a.py", "{root}/a.py"),
        ("{below}/a.py", "{root}/bin/a.py"),
        ("{tree}/../tree/a.py", "{root}/a.py"),
        ("{tree}/../lib/a.py", "{tree}/../lib/a.py"),
        ("cat {tree}/../lib/a.py", "cat {tree}/../lib/a.py"),
        ("{tree}/", "{root}/"),
        ("cd {tree} && python a.py", "cd {root} && python a.py"),
        ("cd '{tree}/b c'; x", "cd '{root}/b c'; x"),
        ("-I{tree}/include", "-I{root}/include"),
        ("{tree}/lib:/lib:{tree}/more", "{root}/lib:/lib:{root}/more"),
        ('{{"data": "{tree}/d.json"}}', '{{"data": "{root}/d.json"}}'),
        ("file://{tree}/d.json", "file://{root}/d.json"),
        ("{tree}-old/a.py", "{tree}-old/a.py"),
        ("/other{tree}/a.py", "/other{tree}/a.py"),
    ],
)
def test_whatever_form_names_the_users_tree_in_a_word_or_a_variable_names_the_side(place, tmp_path, given, moved):
    link, below = tmp_path / "link", tmp_path / "below"
    link.symlink_to(place.tree)
    below.symlink_to(place.tree / "bin")
    names = {"tree": place.tree, "root": place.root, "link": link, "below": below}
    expected = moved.format(**names)
    assert place.words(["sh", given.format(**names)]) == ["sh", expected]
    assert place.environment({"LD_LIBRARY_PATH": given.format(**names)}, {})["LD_LIBRARY_PATH"] == expected


def test_a_name_of_the_tree_that_came_through_a_link_is_moved_inside_a_text_too(place, tmp_path):
    (link := tmp_path / "link").symlink_to(place.tree)
    aliases = aliases_of(place.tree, {"PWD": f"{link}/tools"})
    assert aliases == (str(link),)
    assert replace(place, aliases=aliases).words(["sh", "-c", f"cd {link}/x"])[-1] == f"cd {place.root}/x"


@pytest.mark.parametrize("form", ["~/tree", "$HOME/tree", "${HOME}/tree", '"$HOME"/tree'])
def test_a_word_that_names_the_tree_in_a_way_that_cannot_be_moved_is_refused(place, monkeypatch, form):
    monkeypatch.setenv("HOME", str(place.tree.parent))
    with pytest.raises(ConfigError) as refused:
        place.words(["sh", "-c", f"cd {form} && make"])
    assert str(refused.value) == (
        f"The command names the working tree itself, as {form}, in cd {form} && make. Both sides would run the same "
        "code, and no change could be seen. Name it relative to where the command runs, or with its full path and "
        "nothing escaped."
    )


def test_a_tree_with_blanks_is_refused_where_they_are_escaped(place, tmp_path):
    blank = replace(place, tree=tmp_path / "my tree", here=tmp_path / "my tree")
    for word in (f"cd {tmp_path}/my\\ tree && make", f"--data=file://{tmp_path}/my%20tree/d"):
        with pytest.raises(ConfigError, match="The command names the working tree itself"):
            blank.words(["sh", "-c", word])


def test_a_program_that_was_built_in_the_users_tree_is_not(place):
    (place.tree / "bin" / "bench").touch()
    assert place.words(["../bin/bench"]) == ["../bin/bench"]
    assert place.words([f"{place.tree}/bin/bench"]) == [f"{place.root}/bin/bench"]


def test_commands_run_as_far_down_as_the_user_stands(place):
    assert (place.cwd, place.cwd.exists()) == (place.root / "tools", False)


def test_code_of_the_side_is_found_first_after_the_driver_and_paths_into_the_users_tree_lead_there_too(place):
    tree, root = place.tree, place.root
    path = os.pathsep.join([f"{tree}/.venv/bin", f"{tree}/bin", "/usr/bin"])
    environ = {"PATH": path, "PYTHONPATH": f"{tree}/lib", "HOME": "/h"}
    assert place.environment(environ, {"ADDED": "1"}) == {
        "ADDED": "1",
        "HOME": "/h",
        "PATH": os.pathsep.join([f"{tree}/.venv/bin", f"{root}/bin", "/usr/bin"]),
        "PWD": f"{root}/tools",
        "PYTHONPATH": os.pathsep.join([f"{root.parent}/driver", f"{root}/src", f"{root}", f"{root}/lib"]),
    }


def test_what_was_meant_for_this_process_alone_and_secrets_are_not_passed_on(place):
    environ = {
        "ENERGYGATE_SAVE": "run.json",
        "GIT_DIR": "x",
        "GITHUB_TOKEN": "t",
        "PYTEST_CURRENT_TEST": "x",
        "PATH": "/bin",
    }
    assert place.environment(environ, {}).keys() == {"PATH", "PWD", "PYTHONPATH"}


def test_the_mark_of_an_energygate_that_measures_this_one_is_passed_on(place):
    assert place.environment({"ENERGYGATE_PROCESS": "outer", "PATH": "/bin"}, {})["ENERGYGATE_PROCESS"] == "outer"


def test_an_environment_of_its_own_comes_first(place, tmp_path):
    own = Place(side=place.side, tree=place.tree, root=place.root, here=place.here, venv=tmp_path / "base-env")
    found = own.environment({"PATH": "/bin"}, {})
    assert found["PATH"] == os.pathsep.join([f"{tmp_path}/base-env/bin", "/bin"])
    assert (found["VIRTUAL_ENV"], own.python) == (f"{tmp_path}/base-env", f"{tmp_path}/base-env/bin/python")
    assert place.python == sys.executable
