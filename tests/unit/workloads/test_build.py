import msgspec
import pytest

from energygate.errors import ConfigError
from energygate.workloads.build import doubts, workload
from energygate.workloads.call import CallWorkload
from energygate.workloads.command import CommandWorkload
from energygate.workloads.inference.workload import InferenceWorkload
from energygate.workloads.suites import SuiteFile

CHAT = {
    "name": "chat",
    "kind": "inference",
    "endpoint": {"url": "http://127.0.0.1:8000/v1", "model": "m"},
    "requests": {"prompts": ["Name three fruits.", "Name three rivers."], "max_tokens": 16},
}


def build(folder, *, environ=None, meters=("auto",), **sections):
    suite = {
        name: CHAT.get(name, {}) | sections.get(name, {})
        for name in CHAT.keys() | sections
        if name not in {"name", "kind"}
    }
    suite |= {"name": "chat", "kind": "inference"}
    read = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile)
    file = folder / "a.energy.yml"
    return workload(read.suites[0], file=file, prefix=file.name, meters=meters, environ=environ or {})


def test_a_suite_becomes_the_workload_of_its_kind_named_after_its_file(tmp_path):
    chat = build(tmp_path)
    assert isinstance(chat, InferenceWorkload)
    assert (chat.name, chat.repeatable, chat.pids) == ("a.energy.yml::chat", True, None)
    read = msgspec.convert(
        {
            "version": 1,
            "suites": [{"name": "bench", "kind": "command", "command": ["./bench"], "work": {"requests": 5}}],
        },
        SuiteFile,
    )
    bench = workload(read.suites[0], file=tmp_path / "a.energy.yml", prefix="a.energy.yml")
    assert isinstance(bench, CommandWorkload)
    assert (bench.name, bench.repeatable, bench.pids) == ("a.energy.yml::bench", False, ())
    assert bench.definition == {"v": 1, "kind": "command", "command": ["./bench"], "work": {"requests": 5}}
    assert bench.labels == {}


def test_long_texts_of_extra_body_are_hidden_like_prompts(tmp_path):
    body = {"mode": "fast", "options": {"suffix": ["a rather secret canary"]}}
    chat = build(tmp_path, requests={"extra_body": body})
    show = chat._plan.show  # noqa: SLF001  else only a server that echoes them would tell
    assert show("no mode fast, no a rather secret canary") == "no mode fast, no [prompt]"


def test_the_definition_holds_what_is_asked_and_how(tmp_path):
    assert build(tmp_path, load={"concurrency": 2}).definition == {
        "v": 1,
        "kind": "inference",
        "api": "chat",
        "requests": [
            [[{"role": "user", "content": "Name three fruits."}], 16],
            [[{"role": "user", "content": "Name three rivers."}], 16],
        ],
        "temperature": 0.0,
        "seed": 7,
        "fixed_output": None,
        "prefix_cache": None,
        "stream": "auto",
        "extra_body": {},
        "concurrency": 2,
    }


@pytest.mark.parametrize(
    "sections",
    [
        {"endpoint": {"model": "another"}},
        {"endpoint": {"url": "http://127.0.0.1:9/v1"}},
        {"requests": {"system": "Be brief."}},
        {"server": {"command": ["serve"]}},
        {"timeouts": {"request": 1}},
        {"endpoint": {"preset": "vllm"}},
        {"endpoint": {"same_machine": True}},
        {"requests": {"output_tolerance": "5%"}},
    ],
)
def test_another_model_server_or_system_prompt_is_compared(tmp_path, sections):
    assert build(tmp_path, **sections).definition == build(tmp_path).definition


@pytest.mark.parametrize(
    "sections",
    [
        {"requests": {"prompts": ["Name three fruits."]}},
        {"requests": {"prompts": ["Name three rivers.", "Name three fruits."]}},
        {"requests": {"max_tokens": 17}},
        {"requests": {"temperature": 0.5}},
        {"requests": {"seed": 8}},
        {"requests": {"extra_body": {"top_k": 1}}},
        {"requests": {"fixed_output": True}},
        {"requests": {"prefix_cache": "disabled"}},
        {"requests": {"stream": False}},
        {"endpoint": {"api": "completions"}},
        {"load": {"concurrency": 2}},
    ],
)
def test_other_questions_or_another_load_are_not(tmp_path, sections):
    assert build(tmp_path, **sections).definition != build(tmp_path).definition


def test_labels_say_who_answers(tmp_path):
    assert build(tmp_path).labels == {"model": "m"}
    assert build(tmp_path, requests={"system": "Be brief."}).labels == {"model": "m", "system": "213c22ed7234"}


def test_a_fault_in_a_dataset_names_the_benchmark_and_the_line(tmp_path):
    (tmp_path / "p.jsonl").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^a.energy.yml::chat: p.jsonl:1: Expected `object`, got `array`. A line is"):
        build(tmp_path, requests={"prompts": None, "dataset": "p.jsonl"})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
def test_every_name_of_this_machine_is_one(tmp_path, host):
    assert build(tmp_path, endpoint={"url": f"http://{host}:8000/v1"}).labels == {"model": "m"}


ELSEWHERE = {"url": "http://192.0.2.7:8000/v1"}


@pytest.mark.parametrize(
    ("meters", "who"),
    [
        (("auto",), "the meters found here"),
        (("rapl",), "rapl"),
        (("rapl", "prometheus", "nvml"), "rapl, nvml"),
    ],
)
def test_another_host_is_refused_because_its_joules_are_not_ours(tmp_path, meters, who):
    with pytest.raises(ConfigError) as fault:
        build(tmp_path, meters=meters, endpoint=ELSEWHERE)
    assert str(fault.value) == (
        f"a.energy.yml::chat: endpoint.url: 192.0.2.7 is not this machine, so {who} would measure the client. "
        "Use a prometheus meter, or same_machine: true where a container or tunnel leads back to this machine."
    )


def test_another_host_is_measured_where_its_meters_are_scraped_or_a_tunnel_leads_back(tmp_path):
    assert build(tmp_path, meters=("prometheus",), endpoint=ELSEWHERE).labels == {"model": "m"}
    assert build(tmp_path, endpoint=ELSEWHERE | {"same_machine": True}).labels == {"model": "m"}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"endpoint": {"preset": "generic"}, "requests": {"fixed_output": True}},
            (
                "requests.fixed_output: preset generic has no switch for it. "
                "Put the server's own into extra_body, or set false."
            ),
        ),
        (
            {"endpoint": {"preset": "tensorrt-llm"}, "tokens": {"source": "counters"}},
            (
                "tokens.source: of preset tensorrt-llm no counters are known. The tokens would be unknown. "
                "Use usage, or name the server's preset in endpoint.preset."
            ),
        ),
    ],
)
def test_what_a_named_server_cannot_do_is_refused_before_it_is_asked(tmp_path, sections, message):
    with pytest.raises(ConfigError) as fault:
        build(tmp_path, **sections)
    assert str(fault.value) == f"a.energy.yml::chat: {message}"
    auto = sections | {"endpoint": {"preset": "auto"}}
    assert isinstance(build(tmp_path, **auto), InferenceWorkload)  # only the server can tell


def test_answers_that_will_vary_in_length_are_told():
    def said(**requests):
        suite = CHAT | {"requests": CHAT["requests"] | requests}
        return doubts(msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile).suites[0])

    assert said() == said(temperature=0.7, fixed_output=True) == ()
    (sentence,) = said(temperature=0.7)
    assert sentence == (
        "chat: requests.temperature is 0.7, so answer lengths will vary from trial to trial. "
        "Set it to 0, or fixed_output to true."
    )


def test_a_python_suite_becomes_a_call(tmp_path):
    suite = {"name": "call", "kind": "python", "callable": "bench:run", "args": {"n": 8}}
    read = msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile)
    call = workload(read.suites[0], file=tmp_path / "a.energy.yml", prefix="a.energy.yml")
    assert isinstance(call, CallWorkload)
    assert call.name == "a.energy.yml::call"
    assert call.definition == {"v": 1, "kind": "python", "callable": "bench:run", "args": {"n": 8}}


def test_a_host_without_an_address_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^a.energy.yml::chat: endpoint.url: nowhere.invalid cannot be resolved: "):
        build(tmp_path, endpoint={"url": "http://nowhere.invalid/v1"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "the variable KEY is not set. Set it, or remove the key."),
        ({"KEY": ""}, "the variable KEY is not set. Set it, or remove the key."),
        (
            {"KEY": "sk-secret\n"},
            "the value of KEY cannot stand in an HTTP header. Remove line breaks and blanks around it.",
        ),
    ],
)
def test_an_api_key_that_is_not_there_or_cannot_be_sent_is_refused_unshown(tmp_path, environ, message):
    with pytest.raises(ConfigError) as fault:
        build(tmp_path, endpoint={"api_key_env": "KEY"}, environ=environ)
    assert str(fault.value) == f"a.energy.yml::chat: endpoint.api_key_env: {message}"
