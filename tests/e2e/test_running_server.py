"""A suite that asks a server which runs already: both sides would ask the same one, so nothing is measured in turn."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fakes_git import SIX, STEADY, Project

SCRIPTED = str(Path(__file__).with_name("scripted_server.py"))
CHAT = "chat.energy.yml::chat"
SUITE = """\
version: 1
suites:
  - name: chat
    kind: inference
    endpoint: {{url: "http://127.0.0.1:{port}/v1", model: scripted, pid: {pid}}}
    requests: {{prompts: [hello], max_tokens: 16}}
"""
SAME = (
    "both sides would ask the same running server, so no change of it could be seen. Let energygate start it: `server:`"
)


@pytest.fixture
def project(tmp_path):
    """A suite with three stored sessions, and its server."""
    made = Project(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, SCRIPTED, "--port", str(port), "--mode", "good"]) as server:
        made.repository.write("chat.energy.yml", SUITE.format(port=port, pid=server.pid))
        made.repository.write(".gitignore", "/baselines/\n*.jsonl\n")
        for factor in (1.0, 1.004, 0.997):
            windows(made, factor)
            with made.start(*run(made, "--mode=record")) as recording:
                out, err = recording.communicate()
            assert recording.returncode == 0, out + err
        made.repository.commit()
        made.repository.commit()
        yield made
        server.kill()


def windows(project, factor):
    lines = [json.dumps({"energy_j": {"package-0": factor * joules}, "duration_s": 3.0}) for joules in STEADY]
    project.repository.write("windows.jsonl", "\n".join(lines))


def run(project, *options):
    return "run", "chat.energy.yml", f"--meters=replay:{project.folder}/windows.jsonl", "--trials=6", *options


def test_its_stored_runs_decide_alone_and_the_row_says_why(project):
    windows(project, 1.3)
    code, report = project.report(*run(project, "--against=HEAD~1", "--json"))
    (row, *_) = report["comparisons"]
    assert (code, row["benchmark"], row["outcome"], row["how"]) == (1, CHAT, "regressed", "stored")
    assert row["notes"][-1] == f"judged by its stored runs alone: {SAME}"


def test_ab_measures_no_such_suite(project):
    meters = f"--meters=replay:{project.folder}/windows.jsonl"
    command = (sys.executable, "-m", "energygate", "run", "chat.energy.yml")
    code, report = project.report("ab", "--base=HEAD~1", meters, *SIX, "--json", "--", *command)
    (row,) = report["comparisons"]
    assert (code, row["benchmark"], row["outcome"], row["reason"]) == (5, CHAT, "invalid", f"base: {SAME}")
