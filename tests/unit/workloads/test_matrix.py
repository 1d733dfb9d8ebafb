import pytest
from hypothesis import given
from hypothesis import strategies as st

from energygate.config import read_config, read_suites
from energygate.errors import ConfigError
from energygate.workloads.suites.matrix import expand, labels_in

SUITE = """\
version: 1
suites:
  - {name: first, kind: command, command: [x]}
  - name: chat
    kind: inference
    endpoint: {url: "http://127.0.0.1:8000/v1"}
    requests: {prompts: [Name three fruits.], max_tokens: 16}
    matrix:
"""
WHERE = "suites[1].matrix"


@pytest.fixture
def read(tmp_path):
    """Read the suites of a file whose second suite has this matrix."""

    def reader(*lines, text=SUITE):
        (tmp_path / "a.energy.yml").write_text(text + "".join(f"      {line}\n" for line in lines))
        return [named.suite for named in read_suites(tmp_path / "a.energy.yml", folder=tmp_path)]

    return reader


@pytest.fixture
def refusal(read, tmp_path):
    def reader(*lines, text=SUITE):
        with pytest.raises(ConfigError) as wrong:
            read(*lines, text=text)
        return str(wrong.value).removeprefix(f"{tmp_path}/a.energy.yml:")

    return reader


def test_every_combination_is_a_suite_named_after_it_the_last_key_first(read):
    suites = read("load.concurrency: [1, 8]", "endpoint.model: [a, org/b]")
    assert [(each.name, each.load.concurrency, each.endpoint.model) for each in suites[1:]] == [
        ("chat[concurrency=1,model=a]", 1, "a"),
        ("chat[concurrency=1,model=org/b]", 1, "org/b"),
        ("chat[concurrency=8,model=a]", 8, "a"),
        ("chat[concurrency=8,model=org/b]", 8, "org/b"),
    ]
    assert suites[0].name == "first"
    assert {each.matrix for each in suites} == {None}


def test_a_value_of_the_matrix_takes_the_place_of_the_suites_own_and_the_rest_stays(read):
    text = SUITE.replace('/v1"}', '/v1", model: a, api: completions}')
    suites = read("endpoint.model: [b]", "endpoint.preset: [vllm, sglang]", text=text)
    assert [(each.name, each.endpoint.model, each.endpoint.api, each.endpoint.preset) for each in suites[1:]] == [
        ("chat[model=b,preset=vllm]", "b", "completions", "vllm"),
        ("chat[model=b,preset=sglang]", "b", "completions", "sglang"),
    ]


def test_keys_of_one_name_are_written_in_full(read):
    suites = read("endpoint.model: [a]", "timeouts.request: [5]", "requests.extra_body.model_mode: [1]")
    assert suites[1].name == "chat[model=a,request=5,model_mode=1]"
    suites = read("endpoint.model: [a]", "requests.extra_body.mode: [1]", "requests.extra_body.options.mode: [2]")
    assert suites[1].name == "chat[model=a,requests.extra_body.mode=1,requests.extra_body.options.mode=2]"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("requests.fixed_output: [true, false, null]", ["fixed_output=true", "fixed_output=false", "fixed_output=#2"]),
        ("requests.temperature: [0, 0.5]", ["temperature=0", "temperature=0.5"]),
        ("server: [{command: [a]}, {command: [b]}]", ["server=#0", "server=#1"]),
        ("server.command: [[a], [b]]", ["command=#0", "command=#1"]),
        ("requests.system: [Be brief., {file: s.txt}]", ["system=#0", "system=#1"]),
        ("server.cwd: ['a,b', 'a=b', 'a[b', 'a]', 'a::b', '#1', '']", [f"cwd=#{at}" for at in range(7)]),
        ('server.cwd: [" a", "a\\nb", "a\\u202eb", a b]', ["cwd=#0", "cwd=#1", "cwd=#2", "cwd=a b"]),
        (f"server.cwd: [{'a' * 64}, {'a' * 65}]", [f"cwd={'a' * 64}", "cwd=#1"]),
        (f"requests.extra_body.mode: [{'1' * 65}]", ["mode=#0"]),
        ("requests.extra_body.suffix: [secret text, 4, true]", ["suffix=#0", "suffix=4", "suffix=true"]),
        ("requests.extra_body.a.b: [secret]", ["b=#0"]),
        ("server.env.HF_TOKEN: [hf_secret, hf_other]", ["HF_TOKEN=#0", "HF_TOKEN=#1"]),
    ],
)
def test_a_name_shows_plain_short_values_and_the_position_of_all_others(read, line, names):
    text = SUITE.replace('/v1"}', '/v1", model: a}\n    server: {command: [x]}')
    if line.startswith("server:"):
        text = text.replace("    server: {command: [x]}\n", "")
    assert [each.name for each in read(line, text=text)[1:]] == [f"chat[{name}]" for name in names]


def test_arguments_of_a_python_suite_may_be_prompts_so_only_their_numbers_are_shown(read):
    text = "version: 1\nsuites:\n  - name: call\n    kind: python\n    callable: a:b\n    matrix:\n"
    suites = read("args.n: [8, 16]", "args.text: [Name three fruits.]", text=text)
    assert [(each.name, each.args) for each in suites] == [
        ("call[n=8,text=#0]", {"n": 8, "text": "Name three fruits."}),
        ("call[n=16,text=#0]", {"n": 16, "text": "Name three fruits."}),
    ]


def test_variables_of_a_command_may_be_secrets_so_only_their_numbers_are_shown(read):
    text = "version: 1\nsuites:\n  - {name: a, kind: command, command: [x], matrix: {env.API_KEY: [sk-1, sk-2]}}\n"
    assert [each.name for each in read(text=text)] == ["a[API_KEY=#0]", "a[API_KEY=#1]"]


def test_values_that_stand_under_an_alias_are_not_changed_in_its_other_places(read):
    text = SUITE.replace(
        "first, kind: command, command: [x]}", "first, kind: command, command: [x], trials: &t {count: 3}}"
    )
    text = text.replace("    matrix:", "    trials: *t\n    matrix:")
    suites = read("trials.count: [4, 5]", "endpoint.model: [a]", text=text)
    assert [each.trials.count for each in suites] == [3, 4, 5]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["load.concurrency: [1, 0]", "endpoint.model: [a]"],
            f"9: {WHERE}.load.concurrency[1]: Expected `int` >= 1.",
        ),
        (
            ["endpoint.model: [a]", "load.concurency: [1]"],
            f"10: {WHERE}.load.concurency[0]: unknown key. Allowed here: concurrency.",
        ),
        (
            ["endpoint.model: [a]", "laod.concurrency: [1]"],
            (
                f"10: {WHERE}.laod.concurrency: unknown key. Allowed here: kind, name, endpoint, requests, server, "
                "load, timeouts, tokens, trials, limits, matrix."
            ),
        ),
        (
            ["endpoint.model: [a]", "endpoint.preset: [vllm, tgi]"],
            (
                f"10: {WHERE}.endpoint.preset[1]: Invalid enum value 'tgi'. "
                "Allowed here: auto, generic, llama.cpp, sglang, tensorrt-llm, vllm."
            ),
        ),
        (
            ["endpoint.model: [a]", "requests.stream: [maybe]"],
            f"10: {WHERE}.requests.stream[0]: Invalid enum value 'maybe'. Allowed here: auto, true, false.",
        ),
        (
            ["endpoint.model: [a]", "server:", "  - {command: [a]}", "  - {command: []}"],
            f"12: {WHERE}.server[1].command: Expected `array` of length >= 1.",
        ),
        (["load.concurrency: [1]"], "6: suites[1].endpoint: Object missing required field `model`."),
        (
            ["endpoint.model: [a]", "endpoint.url: ['ftp://a']"],
            "6: suites[1].endpoint: url must read http://HOST:PORT/v1 or https://HOST:PORT/v1.",
        ),
        (["load.concurrency: 8"], f"9: {WHERE}.load.concurrency: must be a list of at least one value."),
        (["load.concurrency: []"], f"9: {WHERE}.load.concurrency: must be a list of at least one value."),
        (["load.concurrency: {a: 1}"], f"9: {WHERE}.load.concurrency: must be a list of at least one value."),
        (["- load.concurrency"], f"8: {WHERE}: must be a mapping such as `{{load.concurrency: [1, 8]}}`."),
        (["{}"], f"8: {WHERE}: must be a mapping such as `{{load.concurrency: [1, 8]}}`."),
        (["8: [1]"], f"8: {WHERE}: 8 is no path such as load.concurrency."),
        (["load..concurrency: [1]"], f"8: {WHERE}: 'load..concurrency' is no path such as load.concurrency."),
        (["requests.prompts[0]: [a]"], f"8: {WHERE}: 'requests.prompts[0]' is no path such as load.concurrency."),
        (["name: [a, b]"], f"9: {WHERE}.name: a matrix cannot vary name."),
        (["kind: [inference, command]"], f"9: {WHERE}.kind: a matrix cannot vary kind."),
        (["matrix.a: [b]"], f"9: {WHERE}.matrix.a: a matrix cannot vary matrix."),
        (
            ["load.concurrency: [1]", "load: [{concurrency: 2}]"],
            f"9: {WHERE}.load.concurrency: load is varied as a whole already.",
        ),
        (
            ["endpoint.url.port: [1]"],
            f"9: {WHERE}.endpoint.url.port: url is no mapping, so nothing in it can be varied.",
        ),
        (["load.concurrency: [1, 8, 8]"], f"9: {WHERE}.load.concurrency: two of its values are named 8."),
        (["endpoint.model: [8, '8']"], f"9: {WHERE}.endpoint.model: two of its values are named 8."),
        (
            [f"load.concurrency: {list(range(1, 6))}", f"requests.seed: {list(range(13))}"],
            f"8: {WHERE}: 65 combinations, at most 64 are measured.",
        ),
    ],
)
def test_a_fault_is_named_by_its_own_line_and_path(refusal, lines, message):
    assert refusal(*lines) == message


def test_a_path_through_too_many_keys_is_refused_before_it_is_followed(refusal):
    assert refusal(f"? requests.extra_body{'.a' * 3000}\n      : [1]") == (
        f"8: {WHERE}: requests.extra_body{'.a' * 22}… leads through 3002 keys, at most 32 are read."
    )


def test_64_combinations_are_measured(read):
    lines = (f"load.concurrency: {list(range(1, 9))}", f"requests.seed: {list(range(8))}", "endpoint.model: [a]")
    assert len({each.name for each in read(*lines)}) == 65


def test_more_than_1000_suites_are_not_made(refusal):
    values = ", ".join(str(each) for each in range(1, 65))
    suites = (f"  - {{name: s{n}, kind: command, command: [a], matrix: {{timeout: [{values}]}}}}\n" for n in range(17))
    assert refusal(text="version: 1\nsuites:\n" + "".join(suites)) == (
        " more than 1000 suites up to suites[15], each combination counted. Write fewer values, or several files."
    )


def test_two_suites_of_one_name_are_both_named_whatever_their_matrix(refusal):
    text = SUITE.replace("name: first", "name: chat")
    said = " suites[0] and suites[1] are both named 'chat'; rename one of them."
    assert refusal("endpoint.model: [a]", text=text) == said


def test_a_fault_of_a_suite_behind_a_matrix_has_the_index_of_the_file(refusal):
    text = SUITE + "      endpoint.model: [a, b]\n  - {name: last, kind: command, command: []}\n"
    assert refusal(text=text) == "10: suites[2].command: Expected `array` of length >= 1."


def test_a_matrix_stands_in_the_configuration_too(tmp_path):
    (tmp_path / "energygate.yml").write_text(
        "version: 1\nsuites:\n  - b.energy.yml\n"
        "  - {name: a, kind: command, matrix: {command: [[x], [y]], timeout: [5]}}\n"
    )
    file, *suites = read_config(tmp_path / "energygate.yml").suites
    assert file == "b.energy.yml"
    assert [(each.name, each.command) for each in suites] == [
        ("a[command=#0,timeout=5]", ("x",)),
        ("a[command=#1,timeout=5]", ("y",)),
    ]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("a.energy.yml::chat", {}),
        ("a[b=c].energy.yml::chat", {}),
        ("a.energy.yml::chat[concurrency=8,model=org/b]", {"concurrency": "8", "model": "org/b"}),
    ],
)
def test_labels_are_what_the_name_says(name, labels):
    assert labels_in(name) == labels


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
step = st.sampled_from(["a", "b", "c-d", "requests", "system"])
matrices = st.dictionaries(
    st.lists(step, min_size=1, max_size=3).map(".".join),
    st.lists(plain, min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)


@given(matrices)
def test_each_suite_holds_one_value_of_each_key_and_its_name_leads_back_to_them(matrix):
    suite = {"name": "chat", "matrix": matrix, "other": {"kept": 1}}
    try:
        expanded = expand({"suites": [suite]}, origin="f", lines={})
    except ConfigError as refused:
        said = str(refused)
        assert said.startswith("f: suites[0].matrix")
        assert "is varied as a whole" in said or "values are named" in said or "combinations" in said
        return
    made = expanded.document["suites"]
    assert len({variant.name for variant in expanded.variants}) == len(made)
    assert all(variant.name.isprintable() for variant in expanded.variants)
    for each, variant in zip(made, expanded.variants, strict=True):
        assert each["other"] == {"kept": 1}
        assert len(labels_in(f"f::{variant.name}")) == len(matrix)
        for path, values in matrix.items():
            found = each
            for key in path.split("."):
                found = found[key]
            at = int(variant.places[path].rpartition("[")[2].removesuffix("]"))
            assert found is values[at]


@given(plain)
def test_any_document_is_expanded_or_refused_by_name(suite):
    said = "f: suites["
    try:
        expand({"suites": [suite, {"name": "a", "matrix": suite}]}, origin="f", lines={})
    except ConfigError as refused:
        said = str(refused)
    assert said.startswith("f: suites[")
