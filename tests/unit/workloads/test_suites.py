import subprocess
import sys

import msgspec
import pytest

from energygate.workloads.suites import (
    CommandSuite,
    Endpoint,
    Extract,
    InferenceSuite,
    Load,
    Prompt,
    PythonSuite,
    Ready,
    Requests,
    ServerSpec,
    SuiteFile,
    TextFile,
    Timeouts,
    Tokens,
    TrialOverrides,
    WorkRules,
)

CHAT = {
    "name": "chat",
    "kind": "inference",
    "endpoint": {"url": "http://127.0.0.1:8000/v1", "model": "m"},
    "requests": {"prompts": ["Name three fruits."], "max_tokens": 16},
}
BENCH = {"name": "bench", "kind": "command", "command": ["./bench"]}
CALL = {"name": "call", "kind": "python", "callable": "myapp.bench:answer_all"}
NAME = r"Expected `str` matching regex '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\\n)' - at `$.suites[0].name`"


def read(*suites):
    return msgspec.convert({"version": 1, "suites": list(suites)}, SuiteFile, strict=True).suites


def changed(suite, path, value):
    """A copy of the suite with the value at `requests.seed`, say."""
    first, _, rest = path.partition(".")
    return suite | {first: changed(suite.get(first, {}), rest, value) if rest else value}


def test_what_a_suite_leaves_out_has_its_documented_default():
    assert read(CHAT, BENCH, CALL) == (
        InferenceSuite(
            name="chat",
            endpoint=Endpoint(
                url="http://127.0.0.1:8000/v1",
                model="m",
                api="chat",
                preset="auto",
                api_key_env=None,
                same_machine="auto",
                pid=None,
            ),
            requests=Requests(
                prompts=("Name three fruits.",),
                max_tokens=16,
                dataset=None,
                system=None,
                fixed_output=None,
                prefix_cache=None,
                temperature=0.0,
                seed=7,
                stream="auto",
                output_tolerance="2%",
                extra_body={},
            ),
            server=None,
            load=Load(concurrency=1),
            timeouts=Timeouts(connect=5.0, first_token=60.0, stall=30.0, request=300.0, drain=60.0),
            tokens=Tokens(source="usage"),
            trials=TrialOverrides(),
            limits={},
            matrix=None,
        ),
        CommandSuite(
            name="bench",
            command=("./bench",),
            setup=None,
            env={},
            timeout=600.0,
            work=WorkRules(),
            tokens=None,
            trials=TrialOverrides(),
            limits={},
            matrix=None,
        ),
        PythonSuite(
            name="call",
            callable="myapp.bench:answer_all",
            args={},
            tokens=None,
            trials=TrialOverrides(),
            limits={},
            matrix=None,
        ),
    )


def test_every_key_of_an_inference_suite_is_read():
    suite = {
        "name": "chat",
        "kind": "inference",
        "server": {
            "command": ["{python}", "serve.py", "--port", "{port}"],
            "cwd": "server",
            "env": {"CUDA_VISIBLE_DEVICES": "0"},
            "ready": {"path": "/ready", "timeout": 60},
            "stop_grace": 3,
            "reuse": True,
        },
        "endpoint": {
            "url": "http://localhost:{port}/v1",
            "api": "chat",
            "model": "m",
            "preset": "llama.cpp",
            "api_key_env": "KEY",
            "same_machine": True,
        },
        "requests": {
            "dataset": "prompts.jsonl",
            "system": {"file": "system.txt"},
            "max_tokens": 48,
            "fixed_output": True,
            "prefix_cache": "warm",
            "temperature": 0.5,
            "seed": 8,
            "stream": False,
            "output_tolerance": "5%",
            "extra_body": {"cache_prompt": False},
        },
        "load": {"concurrency": 2},
        "timeouts": {"connect": 1, "first_token": 5, "stall": 2, "request": 30, "drain": 6},
        "tokens": {"source": "counters"},
        "trials": {"count": 5, "warmup": 2, "min_time": 2, "min_time_gpu": 5, "cooldown": 0, "max_invalid": 0.1},
        "limits": {"j_per_request": 12, "energy_j": 100.5},
    }
    (read_suite,) = read(suite)
    assert read_suite == InferenceSuite(
        name="chat",
        server=ServerSpec(
            command=("{python}", "serve.py", "--port", "{port}"),
            cwd="server",
            env={"CUDA_VISIBLE_DEVICES": "0"},
            ready=Ready(path="/ready", timeout=60.0),
            stop_grace=3.0,
            reuse=True,
        ),
        endpoint=Endpoint(
            url="http://localhost:{port}/v1",
            api="chat",
            model="m",
            preset="llama.cpp",
            api_key_env="KEY",
            same_machine=True,
        ),
        requests=Requests(
            dataset="prompts.jsonl",
            system=TextFile(file="system.txt"),
            max_tokens=48,
            fixed_output=True,
            prefix_cache="warm",
            temperature=0.5,
            seed=8,
            stream=False,
            output_tolerance="5%",
            extra_body={"cache_prompt": False},
        ),
        load=Load(concurrency=2),
        timeouts=Timeouts(connect=1.0, first_token=5.0, stall=2.0, request=30.0, drain=6.0),
        tokens=Tokens(source="counters"),
        trials=TrialOverrides(count=5, warmup=2, min_time=2.0, min_time_gpu=5.0, cooldown=0.0, max_invalid=0.1),
        limits={"j_per_request": 12.0, "energy_j": 100.5},
    )
    assert read_suite.requests.tolerance == 0.05


@pytest.mark.parametrize(
    ("suite", "path", "value", "message"),
    [
        (CHAT, "name", "a b", NAME),
        (CHAT, "name", "a\n", NAME),
        (CHAT, "name", "chat[8]", NAME),
        (CHAT, "kind", "pythn", "Invalid value 'pythn' - at `$.suites[0].kind`"),
        (CHAT, "interleaved", True, "Object contains unknown field `interleaved` - at `$.suites[0]`"),
        (CHAT, "requests.stream", "maybe", "Invalid enum value 'maybe' - at `$.suites[0].requests.stream`"),
        (
            CHAT,
            "requests.fixed_output",
            "x",
            "Expected `bool | null`, got `str` - at `$.suites[0].requests.fixed_output`",
        ),
        (CHAT, "requests.prefix_cache", "off", "Invalid enum value 'off' - at `$.suites[0].requests.prefix_cache`"),
        (CHAT, "endpoint.api", "responses", "Invalid enum value 'responses' - at `$.suites[0].endpoint.api`"),
        (CHAT, "endpoint.preset", "ollama", "Invalid enum value 'ollama' - at `$.suites[0].endpoint.preset`"),
        (
            CHAT,
            "endpoint.same_machine",
            False,
            "same_machine must be auto or true: nobody else's meters can be read - at `$.suites[0].endpoint`",
        ),
        (CHAT, "endpoint.pid", 0, "Expected `int` >= 1 - at `$.suites[0].endpoint.pid`"),
        (
            CHAT | {"server": {"command": ["serve"]}},
            "endpoint.pid",
            4242,
            "endpoint.pid is for a server that is already running, and `server` starts one - at `$.suites[0]`",
        ),
        (
            changed(CHAT, "requests.system", "Be brief."),
            "endpoint.api",
            "completions",
            "requests.system needs endpoint.api: chat; completions knows prompts alone - at `$.suites[0]`",
        ),
        (CHAT, "tokens.source", "spans", "Invalid enum value 'spans' - at `$.suites[0].tokens.source`"),
        (CHAT, "server", {"command": ["s"], "reuse": 1}, "Expected `bool`, got `int` - at `$.suites[0].server.reuse`"),
        (CHAT, "timeouts.first_token", 0, "Expected `float` > 0.0 - at `$.suites[0].timeouts.first_token`"),
        (CHAT, "timeouts.stall", -1, "Expected `float` > 0.0 - at `$.suites[0].timeouts.stall`"),
        (CHAT, "timeouts.drain", 1e10, "Expected `float` <= 1000000000.0 - at `$.suites[0].timeouts.drain`"),
        (
            CHAT,
            "requests.extra_body",
            {"min_p": float("nan")},
            (
                "extra_body may hold text, numbers, true, false, null, lists and mappings of them"
                " - at `$.suites[0].requests`"
            ),
        ),
        (CHAT, "requests.max_tokens", 0, "Expected `int` >= 1 - at `$.suites[0].requests.max_tokens`"),
        (CHAT, "requests.max_tokens", 1_000_001, "Expected `int` <= 1000000 - at `$.suites[0].requests.max_tokens`"),
        (CHAT, "requests.dataset", "a.jsonl", "give either dataset or prompts - at `$.suites[0].requests`"),
        (CHAT, "requests.prompts", [], "Expected `array` of length >= 1 - at `$.suites[0].requests.prompts`"),
        (CHAT, "requests.temperature", -1, "Expected `float` >= 0.0 - at `$.suites[0].requests.temperature`"),
        (
            CHAT,
            "requests.output_tolerance",
            "2",
            "expected a percentage such as 5%, got '2' - at `$.suites[0].requests`",
        ),
        (
            CHAT,
            "requests.extra_body",
            {"stream": True, "model": "x", "top_k": 1, "max_completion_tokens": 5},
            (
                "extra_body must not set max_completion_tokens, model, stream: energygate sets and checks it itself"
                " - at `$.suites[0].requests`"
            ),
        ),
        (CHAT, "load.concurrency", 0, "Expected `int` >= 1 - at `$.suites[0].load.concurrency`"),
        (CHAT, "load.concurrency", 4097, "Expected `int` <= 4096 - at `$.suites[0].load.concurrency`"),
        (CHAT, "timeouts.request", 0, "Expected `float` > 0.0 - at `$.suites[0].timeouts.request`"),
        (CHAT, "limits", {"j_per_request": 0}, "Expected `float` > 0.0 - at `$.suites[0].limits[...]`"),
        (CHAT, "limits", {"watts": 1}, "Invalid enum value 'watts' - at `key` in `$.suites[0].limits`"),
        (CHAT, "trials.count", 0, "Expected `int` >= 1 - at `$.suites[0].trials.count`"),
        (CHAT, "trials.warmup", -1, "Expected `int` >= 0 - at `$.suites[0].trials.warmup`"),
        (CHAT, "trials.max_invalid", 1.5, "Expected `float` <= 1.0 - at `$.suites[0].trials.max_invalid`"),
        (
            CHAT,
            "trials.max_invalid",
            "150%",
            "Expected `float | null`, got `str` - at `$.suites[0].trials.max_invalid`",
        ),
        (
            CHAT,
            "endpoint.url",
            "http://127.0.0.1:{port}/v1",
            "endpoint.url has {port}, which only a server that energygate starts can have - at `$.suites[0]`",
        ),
        (
            CHAT | {"server": {"command": ["serve", "--port", "8000"], "env": {"A": "b"}}},
            "endpoint.url",
            "http://127.0.0.1:{port}/v1",
            (
                "endpoint.url has {port}, which neither server.command nor server.env hands to the server: add it there"
                " - at `$.suites[0]`"
            ),
        ),
        (
            CHAT,
            "endpoint.url",
            "ftp://127.0.0.1/v1",
            "url must read http://HOST:PORT/v1 or https://HOST:PORT/v1 - at `$.suites[0].endpoint`",
        ),
        (
            CHAT,
            "endpoint.url",
            "http://127.0.0.1:port/v1",
            "url is not a URL: Port could not be cast to integer value as 'port' - at `$.suites[0].endpoint`",
        ),
        (
            CHAT,
            "endpoint.url",
            "http://127.0.0.1:8000/v1\n",
            "url must not hold blanks or control characters - at `$.suites[0].endpoint`",
        ),
        (
            CHAT,
            "endpoint.url",
            "http://127.0.0.1:8000/a b",
            "url must not hold blanks or control characters - at `$.suites[0].endpoint`",
        ),
        (
            CHAT,
            "server",
            {"command": ["serve"], "ready": {"path": "/health\n"}},
            (
                r"Expected `str` matching regex '^/[^\\s\\x00-\\x1f\\x7f]*$(?!\\n)'"
                " - at `$.suites[0].server.ready.path`"
            ),
        ),
        (
            CHAT,
            "endpoint.url",
            "http://me:secret@127.0.0.1/v1",
            (
                "url must not hold a user or password: a key belongs into the variable of api_key_env"
                " - at `$.suites[0].endpoint`"
            ),
        ),
        (
            CHAT,
            "endpoint.url",
            "http://127.0.0.1/v1?a=b",
            "url must not hold a query or fragment: /chat/completions is appended to it - at `$.suites[0].endpoint`",
        ),
        (BENCH, "command", [], "Expected `array` of length >= 1 - at `$.suites[0].command`"),
        (BENCH, "work.requests", 0, "Expected `int` >= 1 - at `$.suites[0].work.requests`"),
        (BENCH, "work.requests", {}, "give either json or regex - at `$.suites[0].work.requests`"),
        (
            BENCH,
            "work.requests",
            {"regex": "a (b) (c)"},
            "regex 'a (b) (c)' needs exactly one group, the count - at `$.suites[0].work.requests`",
        ),
        (
            BENCH,
            "work.requests",
            {"regex": "("},
            "regex '(': missing ), unterminated subpattern at position 0 - at `$.suites[0].work.requests`",
        ),
    ],
)
def test_an_impossible_value_is_refused_with_its_path(suite, path, value, message):
    with pytest.raises(msgspec.ValidationError) as refused:
        read(changed(suite, path, value))
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"version": 2, "suites": [BENCH]}, "Invalid enum value 2 - at `$.version`"),
        ({"version": 1, "suites": []}, "Expected `array` of length >= 1 - at `$.suites`"),
        ({"version": 1}, "Object missing required field `suites`"),
    ],
)
def test_a_suite_file_has_a_version_and_at_least_one_suite(document, message):
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(document, SuiteFile)
    assert str(refused.value) == message


def test_no_repr_shows_a_prompt():
    (suite,) = read(
        changed(
            CHAT,
            "requests.prompts",
            [
                "a prompt",
                {"prompt": "another prompt", "id": "a"},
                {"messages": [{"role": "user", "content": "third prompt"}]},
            ],
        )
    )
    shown = repr(suite) + repr(suite.requests.prompts[1]) + repr(suite.requests.prompts[2].messages)
    assert "prompt'" not in shown
    assert "Requests(dataset=None, max_tokens=16)" in shown
    assert "Prompt(id='a')(Message(role='user'),)" in shown


def test_extraction_rules_and_constants_are_declared_in_the_order_of_the_counts():
    rules = WorkRules(output_tokens=Extract(json="a.b"), requests=5)
    assert list(rules.declared()) == [("requests", 5), ("output_tokens", Extract(json="a.b"))]


def test_a_prompt_in_a_suite_may_set_its_own_max_tokens():
    (suite,) = read(changed(CHAT, "requests.prompts", [{"prompt": "Name three fruits.", "max_tokens": 4}]))
    assert suite.requests.prompts == (Prompt(prompt="Name three fruits.", max_tokens=4),)


def test_reading_suites_and_building_commands_loads_no_http_client():
    code = "import sys, energygate.workloads.suites, energygate.workloads.build; print('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_servers_first_pass_is_never_a_trial():
    with pytest.raises(msgspec.ValidationError) as refused:
        read(changed(CHAT, "trials", {"warmup": 0}))
    assert str(refused.value) == (
        "trials.warmup must be at least 1: a server's first pass is unlike those after it - at `$.suites[0]`"
    )
