"""Which files a project gets, and that each of them is what it says."""

import ast
import re
from itertools import product
from pathlib import Path

import pytest
import yaml

from energygate.config import load_settings, parse_config, read_suites
from energygate.errors import ConfigError
from energygate.meters.diagnosis import Finding, Probe
from energygate.starter.choice import choose
from energygate.starter.found import Machine, ModelServer, Repository
from energygate.workloads.suites import CommandSuite, InferenceSuite

EXAMPLES = Path(__file__).parents[3] / "examples" / "workflows"
NO_COUNTER = Machine(
    counters=(
        Probe(name="rapl", kind="counter", refusal=Finding(what="No RAPL counters in /sys.", why="", fix="")),
        Probe(name="nvml", kind="counter", absent="no NVIDIA GPU here"),
    )
)
COUNTER = Machine(counters=(Probe(name="rapl", kind="counter", domains=()),))
PYTHON = Repository(language="pyproject.toml", install="pip install -e .[bench]", package="acme")
RUST = Repository(language="Cargo.toml", is_python=False)
SERVERS = (
    None,
    ModelServer(name="vllm", file="Dockerfile", model="Qwen/Qwen2.5-0.5B-Instruct"),
    ModelServer(name="sglang", file="run.sh", model="a"),
    ModelServer(name="llama.cpp", file="run.sh", model="models/a.gguf"),
    ModelServer(name="vllm", file="pyproject.toml"),
    ModelServer(name="ollama", file="run.sh", model="llama3.2:1b"),
    ModelServer(name="generic", file="a.py", url="http://localhost:9000/v1"),
)
KEY = re.compile(r"^#(?! \S)", re.MULTILINE)


def texts(repository, machine):
    return {file.path: file.text for file in choose(repository, machine).files}


@pytest.fixture
def written(tmp_path):
    """Write what would be written; give the settings that are read from it."""

    def written(repository, machine):
        for name, text in texts(repository, machine).items():
            (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return written


def test_a_python_project_gets_a_test_the_settings_and_the_workflows():
    start = choose(PYTHON, COUNTER)
    assert [file.path for file in start.files] == [
        "energygate.yml",
        "benchmarks/test_energy.py",
        ".github/workflows/energy.yml",
        ".github/workflows/energy-baseline.yml",
    ]
    assert start.first == "python -m pytest --energy benchmarks/test_energy.py"
    assert [command for command, _ in start.then] == [
        "python -m pytest --energy --energy-mode=record benchmarks/test_energy.py",
        "energygate ab --base HEAD -- python -m pytest --energy benchmarks/test_energy.py",
    ]


def test_another_language_gets_a_suite_that_runs_a_program():
    start = choose(RUST, COUNTER)
    assert [file.path for file in start.files][:2] == ["energygate.yml", "benchmarks/program.energy.yml"]
    assert start.first == "energygate run benchmarks/program.energy.yml"
    assert start.then[0][0] == "energygate run benchmarks/program.energy.yml --mode record"


def test_a_project_that_is_elsewhere_is_gone_to_first():
    start = choose(Repository(way="../my project"), COUNTER)
    assert start.first == "cd '../my project' && python -m pytest --energy benchmarks/test_energy.py"


def test_where_gitlab_alone_runs_jobs_no_workflow_of_github_is_written():
    assert not any("workflows" in path for path in texts(Repository(gitlab=True), COUNTER))
    assert any("workflows" in path for path in texts(Repository(gitlab=True, github=True), COUNTER))


@pytest.mark.parametrize(("repository", "machine"), list(product((PYTHON, RUST), (COUNTER, NO_COUNTER))))
def test_every_key_that_is_commented_out_shows_its_default(repository, machine, written):
    file = written(repository, machine) / "energygate.yml"
    text = file.read_text()
    file.write_text(yaml.safe_dump(yaml.safe_load(text)))
    as_it_stands = settings_in(file.parent)
    file.write_text(KEY.sub("", text))
    assert settings_in(file.parent) == as_it_stands
    assert len(yaml.safe_load(file.read_text())) >= 13


def settings_in(folder):
    return load_settings({}, prefix="--", environ={}, folder=folder, here=folder)


@pytest.mark.parametrize("machine", [COUNTER, NO_COUNTER])
def test_estimates_decide_only_where_no_counter_was_found(machine, tmp_path):
    read = parse_config(texts(PYTHON, machine)["energygate.yml"], tmp_path / "energygate.yml")
    assert read.allow_estimates is (machine is NO_COUNTER)
    budgets = (float(read.gate.budget), float(read.gate.session_sd))
    assert budgets == ((0.25, 0.10) if machine is NO_COUNTER else (0.05, 0.015))


@pytest.mark.parametrize("machine", [COUNTER, NO_COUNTER])
def test_a_runner_that_lost_its_counters_never_decides_by_estimates(machine):
    for name in ("energy.yml", "energy-baseline.yml"):
        document = yaml.safe_load(texts(PYTHON, machine)[f".github/workflows/{name}"])
        job = document["jobs"]["measure" if name == "energy.yml" else "record"]
        assert job.get("env") == ({"ENERGYGATE_ALLOW_ESTIMATES": "false"} if machine is NO_COUNTER else None)


@pytest.mark.parametrize(("name", "example"), [("energy.yml", "energy.yml"), ("energy-baseline.yml", "record.yml")])
def test_a_workflow_is_the_example_that_the_documentation_shows(name, example):
    project = Repository(install="pip install -e .[bench]", benchmarks="bench")
    ours = yaml.safe_load(texts(project, COUNTER)[f".github/workflows/{name}"])
    shown = yaml.safe_load((EXAMPLES / example).read_text())
    if example == "record.yml":  # which of them it is, is known here
        assert shown[True]["push"] == {"branches": ["main", "master"]}
        shown[True]["push"] = {"branches": ["main"]}
    assert ours == shown


def test_a_workflow_asks_for_the_runner_and_the_branch_that_are_there_and_for_the_project_s_folder():
    project = Repository(
        folder="a b/c",
        install="pip install -e 'a b/c'",
        branch="master",
        runner=("self-hosted", "gpu"),
        benchmarks="perf",
    )
    found = texts(project, COUNTER)
    record = yaml.safe_load(found[".github/workflows/energy-baseline.yml"])
    job = record["jobs"]["record"]
    assert job["runs-on"] == ["self-hosted", "gpu"]
    assert record[True]["push"] == {"branches": ["master"]}
    inputs = job["steps"][1]["with"]
    assert inputs["working-directory"] == "a b/c"
    assert inputs["setup"] == "pip install -e 'a b/c'"
    assert inputs["run"] == "python -m pytest --energy-only perf"


@pytest.mark.parametrize("name", ["my app", "名前", "a\nb", 'we"ird: x #y'])
def test_a_folder_of_any_name_is_what_a_workflow_reads(name):
    for text in workflows_of(Repository(folder=name)):
        (step,) = [each for job in yaml.safe_load(text)["jobs"].values() for each in job["steps"] if in_folder(each)]
        assert step["with"]["working-directory"] == name


def workflows_of(repository):
    return [text for path, text in texts(repository, COUNTER).items() if "workflows" in path]


def in_folder(step):
    return "working-directory" in step.get("with", {})


def test_a_folder_that_no_workflow_can_name_is_refused():
    with pytest.raises(ConfigError) as refused:
        choose(Repository(folder="caf\udce9"), COUNTER)
    assert str(refused.value) == (
        "The name of the project's folder, 'caf\\udce9', is not UTF-8. A workflow is, so it cannot name that folder. "
        "Nothing was written. Rename the folder."
    )


@pytest.mark.parametrize(
    "server", [server for server in SERVERS if server is not None], ids=lambda found: str(found.name)
)
@pytest.mark.parametrize("machine", [COUNTER, NO_COUNTER])
def test_an_inference_suite_is_read_and_asks_the_server_that_was_found(written, server, machine):
    folder = written(Repository(server=server), machine)
    ((named),) = read_suites(folder / "chat.energy.yml", folder=folder)
    suite = named.suite
    assert isinstance(suite, InferenceSuite)
    assert suite.endpoint.model == (server.model or "MODEL")
    started = server.model != "" and server.name in {"vllm", "sglang", "llama.cpp"}
    assert (suite.server is not None) is started
    if started:
        assert server.model in suite.server.command
    assert suite.endpoint.url == (
        "http://127.0.0.1:{port}/v1"
        if started
        else server.url or f"http://127.0.0.1:{ {'vllm': 8000, 'ollama': 11434}[server.name] }/v1"
    )
    assert ("#pid:" in (folder / "chat.energy.yml").read_text()) is (not started and machine is NO_COUNTER)
    assert yaml.safe_load((folder / "energygate.yml").read_text())["suites"] == ["chat.energy.yml"]


def test_a_server_that_is_only_named_can_be_started_when_the_comment_is_taken_away(written):
    folder = written(Repository(server=ModelServer(name="vllm", file="a.py")), COUNTER)
    path = folder / "chat.energy.yml"
    path.write_text(path.read_text().replace("    #server:", "    server:"))
    ((named),) = read_suites(path, folder=folder)
    assert named.suite.server.command == ("vllm", "serve", "MODEL", "--port", "{port}")


def test_a_program_s_suite_is_read(written):
    folder = written(RUST, COUNTER)
    ((named),) = read_suites(folder / "benchmarks" / "program.energy.yml", folder=folder)
    assert isinstance(named.suite, CommandSuite)


@pytest.mark.parametrize("package", ["", "acme"])
def test_a_first_test_is_python_that_uses_the_fixture(package):
    text = texts(Repository(package=package), COUNTER)["benchmarks/test_energy.py"]
    names = [each.name for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)]
    assert names == ["work", "test_work"]
    assert ("import acme" in text) is (package == "acme")
    assert max(map(len, text.splitlines())) <= 120


def test_a_sysfs_that_was_named_stands_in_the_settings(tmp_path):
    machine = Machine(counters=COUNTER.counters, sysfs="/host's/sys")
    read = parse_config(texts(PYTHON, machine)["energygate.yml"], tmp_path / "energygate.yml")
    assert read.sysfs == "/host's/sys"
