import json

import msgspec
import pytest

from energygate.workloads.dataset import Request
from energygate.workloads.inference.bodies import definition, encode
from energygate.workloads.inference.presets import PRESETS, presets
from energygate.workloads.suites import InferenceSuite, Message

OWN = {"model": "m", "max_tokens": 48, "temperature": 0.0, "seed": 7}
CHAT = Request(origin="p.jsonl:1", messages=(Message(role="user", content="Name three fruits."),), max_tokens=48)
PROMPT = Request(origin="p.jsonl:1", prompt="Name three fruits.", max_tokens=48)
USER = {"role": "user", "content": "Name three fruits."}


def suite(api="chat", **requests):
    document = {
        "kind": "inference",
        "name": "chat",
        "endpoint": {"url": "http://127.0.0.1:8000/v1", "model": "m", "api": api},
        "requests": {"prompts": ["Name three fruits."], "max_tokens": 16} | requests,
    }
    return msgspec.convert(document, InferenceSuite)


def body(asked, request, *, system=None, preset=PRESETS["generic"], **switches):
    decided = {"fixed_output": False, "cache_off": False, "streamed": False} | switches
    return json.loads(encode(asked, request, system=system, preset=preset, **decided))


def test_a_chat_is_sent_its_conversation_and_completions_their_prompt():
    assert body(suite(), CHAT) == OWN | {"messages": [USER]}
    assert body(suite("completions"), PROMPT) == OWN | {"prompt": "Name three fruits."}


def test_the_system_prompt_precedes_the_conversation():
    assert body(suite(), CHAT, system="Be brief.")["messages"] == [{"role": "system", "content": "Be brief."}, USER]


def test_only_a_stream_is_asked_for_its_usage():
    assert body(suite(), CHAT, streamed=True) == OWN | {
        "messages": [USER],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("llama.cpp", {"ignore_eos": True, "cache_prompt": False}),
        ("vllm", {"ignore_eos": True, "min_tokens": 48, "cache_salt": "salt"}),
        ("sglang", {"ignore_eos": True, "min_tokens": 48}),
        ("generic", {}),
    ],
)
def test_a_server_is_only_told_what_it_knows(name, fields):
    preset = presets(token=lambda: "salt")[name]
    asked = body(suite(), CHAT, preset=preset, fixed_output=True, cache_off=True)
    assert asked == OWN | {"messages": [USER]} | fields
    assert body(suite(), CHAT, preset=preset) == OWN | {"messages": [USER]}


def test_fields_of_the_suites_own_win_over_the_presets():
    asked = suite(extra_body={"ignore_eos": False, "top_k": 1})
    sent = body(asked, CHAT, preset=PRESETS["vllm"], fixed_output=True)
    assert sent == OWN | {"messages": [USER], "ignore_eos": False, "min_tokens": 48, "top_k": 1}


def test_the_definition_holds_what_is_configured_not_what_a_server_makes_of_it():
    assert definition(suite(fixed_output=True, prefix_cache="warm", stream=False), (CHAT,)) == {
        "v": 1,
        "kind": "inference",
        "api": "chat",
        "requests": [[[USER], 48]],
        "temperature": 0.0,
        "seed": 7,
        "fixed_output": True,
        "prefix_cache": "warm",
        "stream": False,
        "extra_body": {},
        "concurrency": 1,
    }
    assert definition(suite("completions"), (PROMPT,)) == {
        "v": 1,
        "kind": "inference",
        "api": "completions",
        "requests": [["Name three fruits.", 48]],
        "temperature": 0.0,
        "seed": 7,
        "fixed_output": None,
        "prefix_cache": None,
        "stream": "auto",
        "extra_body": {},
        "concurrency": 1,
    }
