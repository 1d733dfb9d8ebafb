"""Python functions as benchmarks, imported from a folder of the test's own."""

import os
import subprocess
import sys

import msgspec
import pytest

from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.model import Work
from energygate.workloads.build import workload
from energygate.workloads.suites import SuiteFile

CANARY = "the canary of a prompt"
LINE_1 = "(speed_bench.py:1)"
INSTALL = "Correct callable, whose module is looked for in the suite file's folder first, or install what it needs."


@pytest.fixture
def make(tmp_path):
    """Build the workload of a module's function; the module is unknown to the interpreter before and after."""
    made, before = [], set(sys.modules)

    def build(code="", target="speed_bench:work", **keys):
        (tmp_path / "speed_bench.py").write_text(code)
        suite = {"name": "in-process", "kind": "python", "callable": target, **keys}
        read = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile)
        made.append(workload(read.suites[0], file=tmp_path / "a.energy.yml", prefix="a.energy.yml"))
        return made[-1]

    yield build
    for one in made:
        one.close()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def trial(load, passes=1):
    load.before()
    load.run(passes)
    return load.after().work


def refusal(load):
    with pytest.raises(WorkloadError) as fault:
        load.open()
    return str(fault.value)


def test_a_function_is_called_with_its_arguments_as_often_as_a_trial_asks(make):
    load = make("def work(n, word): return {'requests': n, 'output_tokens': len(word)}", args={"n": 2, "word": "four"})
    load.open()
    assert trial(load, passes=3) == Work(requests=6, output_tokens=12)
    assert trial(load) == Work(requests=2, output_tokens=4)
    assert (load.name, load.repeatable, load.pids, load.labels) == ("a.energy.yml::in-process", True, (), {})


def test_a_function_may_return_nothing_or_usages(make):
    load = make("def work(): pass")
    load.open()
    assert trial(load, passes=2) == Work()
    load = make(
        "class Bench:\n    @staticmethod\n    def usages(): return [{'prompt_tokens': 3, 'completion_tokens': 2}]",
        "speed_bench:Bench.usages",
    )
    del sys.modules["speed_bench"]
    load.open()
    assert trial(load, passes=2) == Work(requests=2, input_tokens=6, output_tokens=4)


def test_the_folder_comes_first_while_the_benchmark_lives_also_for_late_imports(make, tmp_path):
    (tmp_path / "speed_late.py").write_text("count = 5")
    before = list(sys.path)
    load = make("def work():\n    from speed_late import count\n    return {'requests': count}")
    load.open()
    assert sys.path == [str(tmp_path), *before]
    assert trial(load) == Work(requests=5)
    load.close()
    load.close()
    assert sys.path == before


def test_the_definition_is_function_and_arguments_whatever_the_function_does_to_them(make):
    load = make("def work(words): words.append('more'); return {'requests': len(words)}", args={"words": ["one"]})
    wanted = {"v": 1, "kind": "python", "callable": "speed_bench:work", "args": {"words": ["one"]}}
    load.open()
    trial(load)
    assert load.definition == wanted


def test_arguments_are_in_no_repr():
    suite = {"name": "a", "kind": "python", "callable": "a:b", "args": {"prompt": CANARY}}
    assert CANARY not in repr(msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile))


@pytest.mark.parametrize(
    ("code", "keys", "message"),
    [
        (
            "import speed_missing",
            {},
            f"cannot import speed_bench: ModuleNotFoundError: No module named 'speed_missing' {LINE_1}. {INSTALL}",
        ),
        (
            "raise ValueError('no ' + 'the canary of a prompt')",
            {"args": {"prompts": [CANARY]}},
            f"cannot import speed_bench: ValueError: no [prompt] {LINE_1}. {INSTALL}",
        ),
        (
            "raise SystemExit(3)",
            {},
            f"cannot import speed_bench: SystemExit: 3 {LINE_1}. {INSTALL}",
        ),
        ("", {}, "speed_bench has no work. Correct callable."),
        ("work = 3", {}, "speed_bench:work is no function, but of type int."),
        (
            "async def work(): pass",
            {},
            (
                "speed_bench:work is a coroutine or generator function. Calling it does no work yet, so nothing would "
                "be measured. Name a function that runs it to its end, for example with asyncio.run."
            ),
        ),
        (
            "def work(n): pass",
            {"args": {"m": 2}},
            "args: speed_bench:work cannot be called with them: missing a required argument: 'n'. Correct args.",
        ),
    ],
)
def test_what_cannot_be_called_is_refused_before_anything_is_measured(make, code, keys, message):
    assert refusal(make(code, **keys)) == f"in-process: {message}"


def test_a_module_that_is_not_there_is_named(make):
    assert refusal(make(target="speed_nowhere:work")).startswith(
        "in-process: cannot import speed_nowhere: ModuleNotFoundError: No module named 'speed_nowhere'."
    )


def test_a_namesake_that_is_imported_already_is_never_measured_instead(make, tmp_path):
    (tmp_path / "json.py").write_text("def work(): pass")
    assert refusal(make(target="json:work")) == (
        f"in-process: another module named json is imported already: {sys.modules['json'].__spec__.origin}. "
        "It would be measured instead of the one beside the suite file. Rename one of them."
    )


@pytest.mark.parametrize("raised", ["ValueError('the canary of a prompt')", "SystemExit(3)"])
def test_a_call_that_fails_names_the_error_and_the_line_and_never_its_text(make, raised):
    load = make(f"calls = []\n\ndef work():\n    calls.append(1)\n    if len(calls) > 2:\n        raise {raised}")
    load.open()
    load.before()
    with pytest.raises(MeasurementInvalid) as invalid:
        load.run(5)
    kind = raised.partition("(")[0]
    assert str(invalid.value) == f"work_failed: speed_bench:work raised {kind} at speed_bench.py:6"
    assert invalid.value.__cause__ is None


def test_an_interrupt_is_no_failure_of_the_function(make):
    load = make("def work(): raise KeyboardInterrupt")
    load.open()
    load.before()
    with pytest.raises(KeyboardInterrupt):
        load.run(1)


SPANS = """\
import os, time, urllib.request
from fakes_spans import INPUT, OUTPUT, export

def work():
    now = {"id": str(time.time_ns() % 10**8), "end_ns": time.time_ns()}
    body = export({**now, "attributes": {INPUT: 34, OUTPUT: 15, "gen_ai.response.model": "m"}})
    url = os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
    headers = {"Content-Type": "application/x-protobuf"}
    urllib.request.urlopen(urllib.request.Request(url, body, headers)).close()
    if os.environ.get("COUNT_TASKS"):
        return {"requests": 1}
"""


def test_spans_of_our_own_process_count_its_tokens_for_one_suite_after_the_other(make, monkeypatch):
    tokens = {"source": "spans"}
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    for _ in range(2):
        load = make(SPANS, tokens=tokens)
        load.open()
        load.before()
        load.run(2)
        done = load.after()
        assert done.work == Work(requests=2, input_tokens=68, output_tokens=30)
        assert done.conditions == {"spans": {"models": ["m"], "finish": {}}}
        assert load.labels == {"model": "m"}
        assert load.definition["tokens"] == "spans"
        load.close()
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ


def test_requests_may_be_the_functions_own_where_spans_count_tokens(make, monkeypatch):
    monkeypatch.setenv("COUNT_TASKS", "1")
    load = make(SPANS, tokens={"source": "spans"})
    load.open()
    assert trial(load, passes=1) == Work(requests=1, input_tokens=34, output_tokens=15)


def test_without_the_extra_a_suite_that_needs_it_is_refused_and_others_are_not(tmp_path):
    code = """\
import sys
sys.modules["opentelemetry"] = None
from pathlib import Path
from energygate.errors import ConfigError
from energygate.workloads.build import workload
from energygate.workloads.suites import PythonSuite, SpanTokens
for tokens in (None, SpanTokens(source="spans")):
    suite = PythonSuite(name="a", callable="json:dumps", tokens=tokens)
    try:
        print(workload(suite, file=Path("b.energy.yml"), prefix="b").name)
    except ConfigError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "b::a",
        (
            "b::a: tokens.source: spans needs opentelemetry-proto, which cannot be imported: No module "
            "named 'opentelemetry.proto'; 'opentelemetry' is not a package. python -m pip install 'energygate[otel]'"
        ),
    ]


def test_a_function_that_changes_its_arguments_does_the_same_work_in_every_call(make):
    load = make("def work(words): words.append('more'); return {'requests': len(words)}", args={"words": ["one"]})
    load.open()
    assert [trial(load, passes=3), trial(load)] == [Work(requests=6), Work(requests=2)]
