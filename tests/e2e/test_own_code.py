"""Both sides never run the user's own tree unnoticed: whatever leads there is moved, or the benchmark is invalid."""

import json
import os
import subprocess
import sys
import venv

import pytest
from fakes_git import ROOT, SIX, STEADY, Project

from energygate.measure.interleave import Side
from energygate.measure.sides import Place, offer_driver

BENCH = "import mypkg\nopen(__import__('os').environ['SEEN'], 'a').write(mypkg.__file__ + '\\n')\n"


@pytest.fixture
def project(tmp_path):
    """A package in a folder of the tree in which no side looks, changed since the last commit."""
    made = Project(tmp_path)
    lines = [json.dumps({"energy_j": {"package-0": joules}, "duration_s": 2.0}) for joules in STEADY for _ in range(2)]
    made.repository.write(".gitignore", "*.jsonl\n")
    made.repository.write("windows.jsonl", "\n".join(lines))
    made.repository.write("python/mypkg/__init__.py", "")
    made.repository.commit(bench_py=BENCH)
    made.repository.write("python/mypkg/__init__.py", "changed = True\n")
    return made


@pytest.fixture
def environment(tmp_path):
    """A virtual environment outside the tree; gives its Python and where it keeps what is installed."""
    venv.create(tmp_path / "env")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    return str(tmp_path / "env" / "bin" / "python"), site


def arguments(project, *command, options=()):
    meters = f"--meters=replay:{project.folder}/windows.jsonl"
    return ("ab", "--base=HEAD", meters, *SIX, "--json", *options, "--", *command)


def ab(project, *command, options=(), **more):
    code, out, err = project(*arguments(project, *command, options=options), **more)
    assert out, err
    (row,) = json.loads(out)["comparisons"]
    return code, row


UNHEARD = (
    "no Python of the first run reported what it imports (-I, -E, -S or a PYTHONPATH of its own prevent that): check "
    "that each side runs its own code"
)


def same_code(file, where):
    return (
        f"base: mypkg was imported from {file}, which {where}. Both sides would run the same code, and no change could "
        "be seen. Let it be installed on each side: --venv with --setup 'pip install -e .' (confirm.venv, "
        "confirm.setup)."
    )


def test_an_editable_install_that_leads_into_the_tree_is_invalid(project, environment):
    python, site = environment
    (site / "__editable__.mypkg.pth").write_text(f"{project.folder}/python\n")
    code, row = ab(project, python, "bench.py")
    file = project.folder / "python" / "mypkg" / "__init__.py"
    assert (code, row["outcome"], row["reason"]) == (5, "invalid", same_code(file, "is the working tree itself"))


def test_a_program_that_starts_such_a_python_is_invalid_too(project, environment):
    python, site = environment
    (site / "__editable__.mypkg.pth").write_text(f"{project.folder}/python\n")
    code, row = ab(project, "sh", "-c", f"{python} bench.py; true")
    assert (code, row["outcome"]) == (5, "invalid")


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("os._exit(0)", id="_exit"),
        pytest.param("os.execv('/bin/true', ['true'])", id="exec"),
        pytest.param("os.kill(os.fork() or os.getpid(), 9); os._exit(0)", id="a child that is killed"),
    ],
)
def test_a_process_that_does_not_end_in_an_orderly_way_is_invalid_too(project, environment, end):
    python, site = environment
    (site / "__editable__.mypkg.pth").write_text(f"{project.folder}/python\n")
    code, row = ab(project, python, "-c", f"import mypkg, os; {end}")
    file = project.folder / "python" / "mypkg" / "__init__.py"
    assert (code, row["outcome"], row["reason"]) == (5, "invalid", same_code(file, "is the working tree itself"))


@pytest.mark.parametrize("command", [["-I"], ["-E"], ["-S"], ["env", "-i"], ["env", "PYTHONPATH="], ["sh", "-c"]])
def test_a_python_that_keeps_what_it_imports_to_itself_is_named(project, command):
    line = [sys.executable, *command] if command[0].startswith("-") else [*command, sys.executable]
    ends = ["-c", "pass"] if command[0] != "sh" else []
    if command[0] == "sh":
        line = ["sh", "-c", f"exec env -i '{sys.executable}' -c pass"]
    code, report = project.report(*arguments(project, *line, *ends))
    assert code == 0
    assert UNHEARD in report["warnings"]


def test_a_python_that_says_what_it_imports_and_a_program_that_is_none_get_no_such_note(project):
    for command in ([sys.executable, "-c", "pass"], ["true"]):
        _, report = project.report(*arguments(project, *command))
        assert UNHEARD not in report["warnings"]


def test_a_copy_that_was_installed_from_the_tree_is_invalid(project, environment):
    python, site = environment
    (site / "mypkg").mkdir()
    (site / "mypkg" / "__init__.py").touch()
    info = site / "mypkg-1.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Name: mypkg\nVersion: 1\n")
    info.joinpath("RECORD").write_text("mypkg/__init__.py,,\n")
    url = (project.folder / "python").as_uri()
    info.joinpath("direct_url.json").write_text(json.dumps({"url": url, "dir_info": {}}))
    code, row = ab(project, python, "-c", "import mypkg, os; os._exit(0)")
    reason = same_code(site / "mypkg" / "__init__.py", "was installed from the working tree")
    assert (code, row["outcome"], row["reason"]) == (5, "invalid", reason)


def test_what_is_installed_from_elsewhere_may_be_measured(project, environment):
    python, site = environment
    (site / "mypkg.py").touch()
    code, row = ab(project, python, "bench.py")
    assert (code, row["outcome"]) == (0, "pass"), row
    assert set(project.seen_file.read_text().splitlines()) == {str(site / "mypkg.py")}


def test_the_users_own_sitecustomize_runs_as_ever(project, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import os\nopen(os.environ['SEEN'], 'a').write(__name__ + '\\n')\n")
    project.repository.write(
        "bench.py", "import sitecustomize\nassert sitecustomize.__file__.endswith('own/sitecustomize.py')"
    )
    environ = {**project.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{own}"}
    project.repository.commit()
    code, row = ab(project, sys.executable, "bench.py", env=environ)
    assert (code, row["outcome"]) == (0, "pass"), row
    assert project.seen_file.read_text().split().count("sitecustomize") >= 2 + 12


@pytest.mark.parametrize("command", ["{link}/bench.py", "{top}/bench.py"])
def test_a_tree_that_is_reached_through_a_link_is_moved_all_the_same(project, tmp_path, command):
    link = tmp_path / "link"
    link.symlink_to(project.folder)
    project.repository.commit(mypkg_py="")
    names = {"link": link, "top": project.folder}
    environ = {**project.environ, "PWD": str(link)}
    code, row = ab(project, sys.executable, command.format(**names), cwd=link, env=environ)
    assert (code, row["outcome"]) == (0, "pass")
    assert {line.split("/")[-2] for line in project.seen_file.read_text().splitlines()} == {"base", "head"}


def test_a_script_that_changes_into_the_tree_changes_into_the_side(project):
    project.repository.commit(mypkg_py="")
    code, row = ab(project, "sh", "-c", f"cd '{project.folder}' && {sys.executable} bench.py")
    assert (code, row["outcome"]) == (0, "pass")
    assert {line.split("/")[-2] for line in project.seen_file.read_text().splitlines()} == {"base", "head"}


def test_variables_that_lead_into_the_tree_lead_to_the_side(project):
    project.repository.commit(bench_py="import os\nopen(os.environ['SEEN'], 'a').write(os.environ['DATA'] + '\\n')\n")
    environ = {**project.environ, "DATA": f"/usr/lib:{project.folder}/lib"}
    code, _ = ab(project, sys.executable, "bench.py", env=environ)
    assert code == 0
    sides = {line.rpartition("energygate-")[2].split("/", 1)[1] for line in project.seen_file.read_text().splitlines()}
    assert sides == {"base/lib", "head/lib"}


def test_what_runs_a_side_is_this_energygate_and_looks_next_where_a_module_does(tmp_path):
    tree, root = tmp_path / "tree", tmp_path / "private" / "base"
    (root / "below").mkdir(parents=True)
    offer_driver(root.parent)
    for folder in (root, root / "below"):
        (folder / "energygate").mkdir()
        (folder / "energygate" / "__init__.py").write_text("raise ImportError('an energygate that is older')\n")
        (folder / "helper.py").touch()
    place = Place(side=Side.BASE, tree=tree, root=root, here=tree / "below")
    code = "import helper, energygate.errors; print(energygate.errors.__file__, helper.__file__, sys.argv[1:])"
    command = place.driven(code, "--option")
    environ = place.environment({"PATH": os.environ["PATH"]}, {})
    done = subprocess.run(command, cwd=place.cwd, env=environ, capture_output=True, text=True, check=True)
    found = (root.parent / "driver" / "energygate" / "errors.py", root / "below" / "helper.py", ["--option"])
    assert done.stdout == "{} {} {}\n".format(*found)


def test_the_hook_imports_nothing_that_the_command_does_not(tmp_path):
    (tmp_path / "tree").write_text("/nowhere")
    witness = ROOT / "energygate" / "measure" / "witness.py"
    (tmp_path / "sitecustomize.py").write_text(witness.read_text())
    code = "import sys; print(*sorted(sys.modules))"
    bare = {**os.environ, "PYTHONPATH": ""}
    found = [
        set(
            subprocess.run(
                [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
            ).stdout.split()
        )
        for environ in (bare, bare | {"PYTHONPATH": str(tmp_path)})
    ]
    assert found[1] - found[0] <= {"__future__", "atexit", "sitecustomize"}
