"""What `energygate init` says, whole."""

import pytest

from energygate.meters.diagnosis import Finding, Probe
from energygate.starter.choice import choose
from energygate.starter.found import Machine, ModelServer, Repository
from energygate.starter.keeping import Fate, Placed
from energygate.starter.telling import told, told_as_json

RAPL = Probe(name="rapl", kind="counter")
NO_RAPL = Probe(name="rapl", kind="counter", refusal=Finding(what="No RAPL counters in /sys.", why="", fix=""))
NO_GPU = Probe(name="nvml", kind="counter", absent="no NVIDIA GPU here")
ACME = Repository(
    language="pyproject.toml", package="acme", peers=2, server=ModelServer(name="vllm", file="run.sh", model="a/b")
)


def said(repository, machine, *, kept=()):
    start = choose(repository, machine)
    placed = [
        Placed(file=file, shown=file.path, fate=Fate.KEPT if file.path in kept else Fate.WRITTEN)
        for file in start.files
    ]
    return told(repository, machine, placed, start), told_as_json(repository, machine, placed, start)


def test_a_machine_with_a_counter(tmp_path):
    text, document = said(ACME, Machine(counters=(RAPL, NO_GPU)), kept=("energygate.yml",))
    assert (
        text
        == """\
found    a Python project (pyproject.toml), package acme
found    tests with pytest-benchmark in 2 files: `energy(f, x)` is called as
         `benchmark(f, x)` is
found    vLLM in run.sh, model a/b
found    energy counters that can be read here: rapl
kept     energygate.yml                         is there already, and left as it is
wrote    benchmarks/test_energy.py              a first benchmark
wrote    chat.energy.yml                        joules per request and token
wrote    .github/workflows/energy.yml           the gate on pull requests
wrote    .github/workflows/energy-baseline.yml  records the main branch
edit     chat.energy.yml: see that server and model are right
edit     .github/workflows/energy.yml and .github/workflows/energy-baseline.yml:
         write the release in the place of OWNER/energygate@...; the runner must
         have the labels self-hosted, linux, energy-lab
now      python -m pytest --energy benchmarks/test_energy.py
         first figures; a verdict needs sessions to compare with
then     python -m pytest --energy --energy-mode=record benchmarks/test_energy.py
         commit, then three times on the main branch: the sessions to compare
         with
later    energygate ab --base HEAD -- python -m pytest --energy benchmarks/test_energy.py
         after a change, instead: HEAD and working tree, measured in turn
later    energygate run chat.energy.yml
         after a look at how it starts the server
"""
    )
    assert (document["counters"], document["refusals"]) == (["rapl"], ["nvml: no NVIDIA GPU here"])
    assert [each["fate"] for each in document["files"]] == ["kept", "written", "written", "written", "written"]
    assert document["first"] == "python -m pytest --energy benchmarks/test_energy.py"


@pytest.mark.parametrize(
    ("kept", "allowed", "leave"),
    [((), False, "lets"), (("energygate.yml",), True, "lets"), (("energygate.yml",), False, "does not let")],
)
def test_without_a_counter_it_says_what_that_means(kept, allowed, leave):
    machine = Machine(counters=(NO_RAPL, NO_GPU), allows_estimates=allowed)
    text, document = said(Repository(gitlab=True), machine, kept=kept)
    shown = " ".join(text.split())
    assert (
        "found no energy counter that can be read here. rapl: No RAPL counters in /sys. nvml: no NVIDIA GPU here. "
        "so CPU seconds stand in for joules here, and every number is labelled an estimate. "
        f"energygate.yml {leave} them decide (`allow_estimates`). `energygate doctor` says how to get a counter."
    ) in shown
    assert "GitLab CI: no workflow of GitHub is written; docs/gitlab.md has the job" in shown
    assert document["refusals"] == ["rapl: No RAPL counters in /sys.", "nvml: no NVIDIA GPU here"]


def test_a_file_s_name_cannot_steer_the_terminal():
    text, _ = said(Repository(server=ModelServer(name="ollama", file="a\x1b[31m\n.sh")), Machine(counters=(RAPL,)))
    assert "Ollama in a .sh" in text
