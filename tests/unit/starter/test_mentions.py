"""Which server of language models a repository's files mention."""

import pytest

from energygate.starter.found import ModelServer
from energygate.starter.mentions import model_server


@pytest.mark.parametrize(
    ("text", "name", "model"),
    [
        ("CMD vllm serve Qwen/Qwen2.5-0.5B-Instruct --port 80", "vllm", "Qwen/Qwen2.5-0.5B-Instruct"),
        ("image: vllm/vllm-openai:v0.9\ncommand: --model=x", "vllm", ""),
        ("python -m vllm.entrypoints.openai.api_server --model acme/tiny", "vllm", "acme/tiny"),
        ("python3 -m sglang.launch_server --model-path acme/tiny", "sglang", "acme/tiny"),
        ("llama-server -c 4096 -m models/tiny.gguf --port 80", "llama.cpp", "models/tiny.gguf"),
        ("llama_cpp_python==0.3\nllama-cpp-python", "llama.cpp", ""),
        ("RUN ollama pull llama3.2:1b", "ollama", "llama3.2:1b"),
        ("from ollama import Client", "ollama", ""),
        ("vllm>=0.9", "vllm", ""),
    ],
)
def test_a_server_shows_by_its_command_or_its_name(text, name, model):
    assert model_server([("Dockerfile", text)]) == ModelServer(name=name, file="Dockerfile", model=model)


@pytest.mark.parametrize("text", ["", "not-vllm-like", "vllm-project", "import json", "vllms"])
def test_what_only_looks_like_a_name_is_none(text):
    assert model_server([("a.py", text)]) is None


def test_an_address_alone_is_a_server_of_any_kind():
    found = model_server([("a.py", 'Client(base_url="http://localhost:9000/v1")')])
    assert found == ModelServer(name="generic", file="a.py", url="http://localhost:9000/v1")


def test_a_command_with_a_model_comes_before_a_name():
    files = [("pyproject.toml", '"ollama"'), ("run.sh", "vllm serve acme/tiny")]
    assert model_server(files) == ModelServer(name="vllm", file="run.sh", model="acme/tiny")


@pytest.mark.parametrize("model", ["$MODEL", "{{model}}", '"\n- evil', "-x"])
def test_a_model_that_is_no_name_is_not_taken(model):
    assert model_server([("run.sh", f"vllm serve {model}")]).model == ""
