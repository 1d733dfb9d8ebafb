"""What a folder's files say."""

import os

import pytest

from energygate.starter.found import Repository
from energygate.starter.survey import project_of, survey, top_of


def test_an_empty_folder_is_a_python_project_until_something_says_otherwise(tmp_path):
    assert survey(tmp_path, here=tmp_path) == Repository()


def test_a_python_project_with_its_package_extras_tests_and_jobs(tmp_path):
    files = {
        ".git/HEAD": "ref: refs/heads/master\n",
        "pyproject.toml": '[project]\nname = "acme"\n[project.optional-dependencies]\ntest = []\n',
        "src/acme/__init__.py": "",
        "tests/test_speed.py": "def test_sort(benchmark):\n    benchmark(sorted, [])\n",
        "bench/keep": "",
        ".github/workflows/gpu.yml": "jobs:\n  a:\n    runs-on: [self-hosted, linux, gpu-box]\n",
        ".gitlab-ci.yml": "",
    }
    for name, text in files.items():
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert survey(tmp_path, here=tmp_path) == Repository(
        language="pyproject.toml",
        package="acme",
        install="pip install -e .[test]",
        benchmarks="bench",
        peers=1,
        gitlab=True,
        github=True,
        branch="master",
        runner=("self-hosted", "linux", "gpu-box"),
    )


def test_a_project_in_another_language_is_known_by_its_file(tmp_path):
    (tmp_path / "Cargo.toml").write_text("[package]\n")
    assert survey(tmp_path, here=tmp_path) == Repository(language="Cargo.toml", is_python=False)


def test_a_project_below_the_top_of_its_repository_is_installed_from_there(tmp_path):
    (tmp_path / ".git").mkdir()
    (folder := tmp_path / "services" / "chat" / "src").mkdir(parents=True)
    project = folder.parent
    (project / "requirements.txt").write_text("vllm\n")
    assert (project_of(folder), top_of(folder)) == (project, tmp_path)
    found = survey(project, here=folder)
    assert (found.folder, found.way, found.install) == (
        "services/chat",
        "..",
        "pip install -r services/chat/requirements.txt",
    )


def test_without_a_file_that_shows_a_project_the_top_of_the_repository_is_it(tmp_path):
    (tmp_path / ".git").mkdir()
    (folder := tmp_path / "a" / "b").mkdir(parents=True)
    assert project_of(folder) == tmp_path


def test_outside_a_repository_nobody_looks_upwards(tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    (folder := tmp_path / "a").mkdir()
    assert project_of(folder) == folder


@pytest.mark.parametrize(
    ("head", "origin", "branch"),
    [
        ("ref: refs/heads/topic\n", None, "main"),
        ("ref: refs/heads/topic\n", "ref: refs/remotes/origin/develop\n", "develop"),
        ("0" * 40, None, "main"),
    ],
)
def test_the_default_branch_is_read_from_git_s_own_files(tmp_path, head, origin, branch):
    (tmp_path / ".git" / "refs" / "remotes" / "origin").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text(head)
    if origin is not None:
        (tmp_path / ".git" / "refs" / "remotes" / "origin" / "HEAD").write_text(origin)
    assert survey(tmp_path, here=tmp_path).branch == branch


def test_what_cannot_be_read_is_as_if_it_were_not_there(tmp_path):
    os.mkfifo(tmp_path / "Dockerfile")  # opening it would wait for ever
    (tmp_path / "pyproject.toml").write_text("[project\n")
    (tmp_path / "run.sh").symlink_to("gone")
    (tmp_path / "setup.cfg").write_bytes(b"\xff\xfe")
    found = survey(tmp_path, here=tmp_path)
    assert (found.language, found.install, found.server) == ("pyproject.toml", "", None)


def test_files_of_others_are_not_looked_at(tmp_path):
    for place in ("node_modules", ".venv", "a/b/c/d/e"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "serve.py").write_text("import vllm\n")
    assert survey(tmp_path, here=tmp_path) == Repository()
