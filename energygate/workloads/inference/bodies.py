"""Request bodies of the chat and completions APIs, and what of them defines the work."""

from collections.abc import Mapping
from typing import Any

import msgspec

from energygate.workloads.dataset import Request
from energygate.workloads.inference.presets import Preset
from energygate.workloads.suites import InferenceSuite


def definition(suite: InferenceSuite, requests: tuple[Request, ...]) -> Mapping[str, object]:
    """What is asked, as configured. It holds the prompts: hash it, never store it.

    None stands where the server's preset decides. Url, model, preset, server and system prompt are left out, because a
    change under test may change them: another server is compared, edited prompts are not.
    """
    asked = suite.requests
    return {
        "v": 1,
        "kind": "inference",
        "api": suite.endpoint.api,
        "requests": [[_content(request), request.max_tokens] for request in requests],
        "temperature": asked.temperature,
        "seed": asked.seed,
        "fixed_output": asked.fixed_output,
        "prefix_cache": asked.prefix_cache,
        "stream": asked.stream,
        "extra_body": asked.extra_body,
        "concurrency": suite.load.concurrency,
    }


def encode(
    suite: InferenceSuite,
    request: Request,
    *,
    system: str | None,
    preset: Preset,
    fixed_output: bool,
    cache_off: bool,
    streamed: bool,
) -> bytes:
    """Give the body of one request.

    Parameters
    ----------
    system : str or None
        Precedes the conversation of a chat.
    preset : Preset
        How the server is told to answer at full length, and without its prefix cache. What it has no field for, it is
        not told. Where the preset is `renewed`, a body is for one request alone.
    """
    asked = suite.requests
    body: dict[str, Any] = {"model": suite.endpoint.model} | _asked(request, system=system)
    body |= {"max_tokens": request.max_tokens, "temperature": asked.temperature, "seed": asked.seed}
    if streamed:
        # Unstreamed, vLLM and TensorRT-LLM refuse `stream_options`.
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if fixed_output and preset.fixed_output is not None:
        body |= preset.fixed_output(request.max_tokens)
    if cache_off and preset.no_cache is not None:
        body |= preset.no_cache()
    return msgspec.json.encode(body | asked.extra_body)


def _asked(request: Request, *, system: str | None) -> dict[str, Any]:
    if request.prompt is not None:
        return {"prompt": request.prompt}
    opening = [] if system is None else [{"role": "system", "content": system}]
    return {"messages": opening + _turns(request)}


def _content(request: Request) -> object:
    return _turns(request) if request.prompt is None else request.prompt


def _turns(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in request.messages]
