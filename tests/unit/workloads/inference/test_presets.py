from itertools import count

import msgspec
import pytest

from energygate.errors import ConfigError
from energygate.workloads.inference.presets import PRESETS, CounterNames, Switches, detected, presets, switches
from energygate.workloads.suites import InferenceSuite

LIKE_VLLM = {"ignore_eos": True, "min_tokens": 48}


def suite(source="usage", **requests):
    document = {
        "kind": "inference",
        "name": "chat",
        "endpoint": {"url": "http://127.0.0.1:8000/v1", "model": "m"},
        "requests": {"prompts": ["Name three fruits."], "max_tokens": 16} | requests,
        "tokens": {"source": source},
    }
    return msgspec.convert(document, InferenceSuite)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("llamacpp", "llama.cpp"),
        ("vllm", "vllm"),
        ("sglang", "sglang"),
        ("tensorrt_llm", "tensorrt-llm"),
        ("library", "generic"),
        ("", "generic"),
        (None, "generic"),
    ],
)
def test_a_server_is_known_by_who_owns_its_models(owner, name):
    assert detected(owner) is PRESETS[name]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("llama.cpp", {"ignore_eos": True}),
        ("vllm", LIKE_VLLM),
        ("sglang", LIKE_VLLM),
        ("tensorrt-llm", LIKE_VLLM),
    ],
)
def test_each_server_is_told_in_its_own_words_to_answer_at_full_length(name, fields):
    assert PRESETS[name].fixed_output(48) == fields


def test_a_salt_of_vllms_prefix_cache_is_never_given_twice():
    numbers = count()
    known = presets(token=lambda: f"salt {next(numbers)}")
    assert [known["vllm"].no_cache() for _ in range(2)] == [{"cache_salt": "salt 0"}, {"cache_salt": "salt 1"}]
    assert known["vllm"].renewed
    salts = {PRESETS["vllm"].no_cache()["cache_salt"] for _ in range(100)}
    assert len(salts) == 100
    assert "" not in salts  # vLLM refuses it


def test_llama_cpp_is_told_not_to_use_its_cache_by_a_field_that_may_be_sent_again():
    assert PRESETS["llama.cpp"].no_cache() == {"cache_prompt": False}
    assert [name for name, preset in PRESETS.items() if preset.renewed] == ["vllm"]


def test_what_a_server_has_no_field_for_is_absent():
    assert [name for name, preset in PRESETS.items() if preset.no_cache is None] == [
        "sglang",
        "tensorrt-llm",
        "generic",
    ]
    assert [name for name, preset in PRESETS.items() if preset.fixed_output is None] == ["generic"]
    assert [name for name, preset in PRESETS.items() if preset.counters is None] == ["tensorrt-llm", "generic"]


def test_the_counters_have_the_servers_own_names():
    assert PRESETS["llama.cpp"].counters == CounterNames(
        input=("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),
        output=("llamacpp:tokens_predicted_total",),
        cached=("llamacpp:prompt_tokens_cached_total",),
        idle=("llamacpp:requests_processing", "llamacpp:requests_deferred"),
    )
    assert PRESETS["vllm"].counters == CounterNames(
        input=("vllm:prompt_tokens_total",),
        output=("vllm:generation_tokens_total",),
        cached=("vllm:prompt_tokens_cached_total",),
        idle=("vllm:num_requests_running", "vllm:num_requests_waiting"),
        phases=("vllm:request_prefill_time_seconds_sum", "vllm:request_decode_time_seconds_sum"),
    )
    assert PRESETS["sglang"].counters == CounterNames(
        input=("sglang:prompt_tokens_total",),
        output=("sglang:generation_tokens_total",),
        cached=("sglang:cached_tokens_total",),
        idle=("sglang:num_running_reqs", "sglang:num_queue_reqs"),
    )


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("llama.cpp", Switches(fixed_output=True, prefix_cache="disabled")),
        ("vllm", Switches(fixed_output=True, prefix_cache="disabled")),
        ("sglang", Switches(fixed_output=True, prefix_cache="warm")),
        ("tensorrt-llm", Switches(fixed_output=True, prefix_cache="warm")),
        ("generic", Switches(fixed_output=False, prefix_cache="warm")),
    ],
)
def test_what_a_suite_leaves_open_is_what_the_server_can_do(name, chosen):
    assert switches(suite(), PRESETS[name]) == chosen


@pytest.mark.parametrize("prefix_cache", ["disabled", "warm", "any"])
@pytest.mark.parametrize("name", PRESETS)
def test_what_a_suite_says_of_the_cache_holds_for_every_server(name, prefix_cache):
    chosen = switches(suite(prefix_cache=prefix_cache, fixed_output=False), PRESETS[name])
    assert chosen == Switches(fixed_output=False, prefix_cache=prefix_cache)
    assert chosen.cache_off == (prefix_cache == "disabled")


def test_a_fixed_length_needs_a_switch_of_the_preset_or_of_the_suite():
    with pytest.raises(ConfigError) as fault:
        switches(suite(fixed_output=True), PRESETS["generic"])
    assert str(fault.value) == (
        "requests.fixed_output: preset generic has no switch for it. "
        "Put the server's own into extra_body, or set false."
    )
    own = suite(fixed_output=True, extra_body={"ignore_eos": True})
    assert switches(own, PRESETS["generic"]) == Switches(fixed_output=True, prefix_cache="warm")


@pytest.mark.parametrize("name", ["tensorrt-llm", "generic"])
def test_counters_can_only_count_where_their_names_are_known(name):
    with pytest.raises(ConfigError) as fault:
        switches(suite("counters"), PRESETS[name])
    assert str(fault.value) == (
        f"tokens.source: of preset {name} no counters are known. The tokens would be unknown. "
        "Use usage, or name the server's preset in endpoint.preset."
    )
    assert switches(suite("counters"), PRESETS["vllm"]).fixed_output
