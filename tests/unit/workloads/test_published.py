import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from energygate.cli.schemas import print_schema
from energygate.config import read_suites
from energygate.workloads.build import workload
from energygate.workloads.suites import InferenceSuite

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(ROOT.glob("examples/**/*.energy.yml"))
MIXES = ROOT / "examples" / "llm_suite" / "mixes.energy.yml"
WHOLE = """\
version: 1
suites:
  - name: smollm2-chat
    kind: inference
    server:
      command: ["{python}", serve.py, --port, "{port}", --threads, "1"]
      cwd: .
      env: {CUDA_VISIBLE_DEVICES: "0"}
      ready: {path: /health, timeout: 120}
      stop_grace: 10
      reuse: false
    endpoint:
      url: "http://127.0.0.1:{port}/v1"
      api: chat
      model: smollm2-135m
      preset: auto
      api_key_env: MODEL_API_KEY
      same_machine: auto
    requests:
      dataset: prompts.jsonl
      system: {file: system.txt}
      max_tokens: 48
      fixed_output: true
      prefix_cache: disabled
      temperature: 0
      seed: 7
      stream: auto
      output_tolerance: 2%
      extra_body: {}
    load: {concurrency: 2}
    timeouts: {connect: 5, first_token: 60, stall: 30, request: 300, drain: 60}
    tokens: {source: usage}
    trials: {count: 10, warmup: 1, min_time: 1.0}
    limits: {j_per_request: 12, j_per_output_token: 0.35}
  - name: running-vllm
    kind: inference
    endpoint: {url: "http://127.0.0.1:8000/v1", model: my-model, preset: vllm, pid: 4242}
    requests: {prompts: ["Name three fruits.", {messages: [{role: user, content: a}], max_tokens: 16}], max_tokens: 64}
    load: {concurrency: 32}
  - name: encoder
    kind: command
    setup: [make, bench]
    command: ["./bench", --frames, "500"]
    timeout: 600
    work: {requests: 500, output_tokens: {json: result.tokens}}
  - name: in-process
    kind: python
    callable: "myapp.bench:answer_all"
    args: {n: 8}
"""
MATRIX = """\
version: 1
suites:
  - name: chat
    kind: inference
    server: {cwd: model}
    endpoint: {url: "http://127.0.0.1:{port}/v1"}
    requests: {prompts: [a]}
    matrix:
      endpoint.model: [a, b]
      requests.max_tokens: [16]
      server.command: [[serve, "{port}"], [serve, b, "{port}"]]
  - {name: bench, kind: command, matrix: {command: [[a], [b]]}}
"""


@pytest.fixture(scope="module", params=["suite", "config"])
def refusals(request):
    """Give what the printed schema has against a document."""
    printed = CliRunner().invoke(print_schema, [request.param], catch_exceptions=False).stdout
    schema = json.loads(printed)
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    return lambda document: [error.message for error in checker.iter_errors(document)]


@pytest.mark.parametrize("text", [WHOLE, MATRIX], ids=["every key", "matrix"])
def test_the_printed_schema_accepts_what_the_reader_reads(refusals, text):
    assert refusals(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (WHOLE, ["smollm2-chat", "running-vllm", "encoder", "in-process"]),
        (
            MATRIX,
            [
                "chat[model=a,max_tokens=16,command=#0]",
                "chat[model=a,max_tokens=16,command=#1]",
                "chat[model=b,max_tokens=16,command=#0]",
                "chat[model=b,max_tokens=16,command=#1]",
                "bench[command=#0]",
                "bench[command=#1]",
            ],
        ),
    ],
    ids=["every key", "matrix"],
)
def test_the_reader_reads_what_the_printed_schema_accepts(text, names, tmp_path):
    (tmp_path / "a.energy.yml").write_text(text)
    assert [named.suite.name for named in read_suites(tmp_path / "a.energy.yml", folder=tmp_path)] == names


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.name)
def test_the_printed_schema_accepts_the_examples(refusals, file):
    assert refusals(yaml.safe_load(file.read_text())) == []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_all_the_files_that_its_suites_name_and_a_readme_that_runs_it(file):
    suites = read_suites(file, folder=file.parent)
    made = [workload(named.suite, file=named.file, prefix=named.prefix) for named in suites]
    assert [load.name for load in made] == [f"{file.name}::{named.suite.name}" for named in suites]
    readme = (file.parent / "README.md").read_text()
    assert re.search(rf"^energygate run (\S+/)?{re.escape(file.name)}", readme, re.MULTILINE)


@pytest.mark.parametrize("file", sorted(MIXES.parent.glob("*.energy.yml")), ids=lambda path: path.name)
def test_the_server_of_the_example_has_every_option_that_a_suite_starts_it_with(file):
    script = (file.parent / "serve.py").read_text()
    for named in read_suites(file, folder=file.parent):
        assert isinstance(named.suite, InferenceSuite)
        words = named.suite.server.command
        assert words[:2] == ("{python}", "serve.py")
        assert [word for word in words if word.startswith("--") and f'add_argument("{word}"' not in script] == []


def test_the_readme_of_the_mixes_has_a_row_of_figures_for_each_of_their_benchmarks():
    readme = (MIXES.parent / "README.md").read_text()
    rows = re.findall(r"^\| `(\S+)` \| \d+ · ", readme, re.MULTILINE)
    assert rows == [named.suite.name for named in read_suites(MIXES, folder=MIXES.parent)]


@pytest.mark.parametrize(
    "text",
    [
        WHOLE.replace("model: smollm2-135m", ""),
        WHOLE.replace("max_tokens: 48", ""),
        WHOLE.replace("[make, bench]", "[make, 5]"),
        WHOLE.replace('      command: ["{python}", serve.py, --port, "{port}", --threads, "1"]\n', ""),
        WHOLE.replace("source: usage", "source: spans"),
        WHOLE.replace("prefix_cache: disabled", "prefix_cache: off"),
        WHOLE.replace("smollm2-chat", "chat[8]"),
        MATRIX.replace("kind: inference", "kind: inferense"),
        MATRIX.replace("cwd: model", "cwd: 5"),
        MATRIX.replace("[16]", "[]"),
        MATRIX.replace("endpoint.model", "endpoint..model"),
    ],
)
def test_the_printed_schema_refuses_what_the_reader_refuses(refusals, text):
    assert refusals(yaml.safe_load(text)) != []
