"""The chat API's request bodies, and what of them defines the work."""

from collections.abc import Mapping

import msgspec

from energygate.workloads.dataset import Request
from energygate.workloads.suites import InferenceSuite


def definition(suite: InferenceSuite, requests: tuple[Request, ...]) -> Mapping[str, object]:
    """What is asked. It holds the prompts: hash it, never store it.

    Url, model, server and system prompt are left out, because a change under test may change them: another server is
    compared, edited prompts are not.
    """
    asked = suite.requests
    return {
        "v": 1,
        "kind": "inference",
        "api": "chat",
        "requests": [[_turns(request), request.max_tokens] for request in requests],
        "temperature": asked.temperature,
        "seed": asked.seed,
        "fixed_output": False,
        "prefix_cache": "any",
        "stream": False,
        "extra_body": asked.extra_body,
        "concurrency": suite.load.concurrency,
    }


def encode(suite: InferenceSuite, request: Request, *, system: str | None) -> bytes:
    """Give the body of one request; the system prompt, if any, precedes its conversation."""
    asked = suite.requests
    opening = [] if system is None else [{"role": "system", "content": system}]
    own = {
        "model": suite.endpoint.model,
        "messages": opening + _turns(request),
        "max_tokens": request.max_tokens,
        "temperature": asked.temperature,
        "seed": asked.seed,
    }
    return msgspec.json.encode(own | asked.extra_body)


def _turns(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in request.messages]
