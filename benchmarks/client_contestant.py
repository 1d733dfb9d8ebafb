"""One client as a process of its own, driven by inference_client.py over its standard streams, a JSON line an answer.

    python client_contestant.py energygate|openai

Each line asks: `url`, `bodies`, `concurrency`, `streamed`. The answer: CPU seconds of this process for all of it, how
many objects came in streams, how many output tokens the usages say, how many requests were answered, and what failed.
openai's runs in its own environment, so each imports its own alone.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

Answer = dict[str, Any]
KNOWN = {"model", "messages", "max_tokens", "temperature", "seed", "stream_options"}


def energygate(url: str, bodies: Sequence[dict[str, Any]], *, concurrency: int, streamed: bool) -> Answer:
    """Send them as a suite does."""
    from energygate.workloads.inference.stream import Streamed  # noqa: PLC0415  only in its own environment

    client = our_client()
    encoded = [json.dumps(body).encode() for body in bodies]  # which a suite does before its first window
    began_s = time.process_time()
    exchange = client.post_all(f"{url}/chat/completions", encoded, concurrency=concurrency, streamed=streamed)
    cpu_s = time.process_time() - began_s
    replies = [answer.reply for answer in exchange.answered]
    streams = [reply for reply in replies if isinstance(reply, Streamed)]
    wholes = [json.loads(reply.body) for reply in replies if not isinstance(reply, Streamed)]
    usages = [reply.usage or {} for reply in streams] + [whole.get("usage", {}) for whole in wholes]
    return {
        "cpu_s": cpu_s,
        "chunks": sum(reply.chunks for reply in streams),
        "output_tokens": sum(usage.get("completion_tokens", 0) for usage in usages),
        "answered": len(replies),
        "failed": exchange.unanswered.why if exchange.unanswered else "",
    }


@cache
def our_client() -> Any:
    """Give the client of all exchanges: as in a suite, its first one tells it how the server ends a stream."""
    from energygate.workloads.inference.client import HttpClient  # noqa: PLC0415  only in its own environment
    from energygate.workloads.suites import Timeouts  # noqa: PLC0415

    return HttpClient(timeouts=Timeouts())


def openai(url: str, bodies: Sequence[dict[str, Any]], *, concurrency: int, streamed: bool) -> Answer:
    """Send them by the SDK's asynchronous client, the way its documentation shows."""
    return asyncio.run(_openai(url, bodies, concurrency=concurrency, streamed=streamed))


async def _openai(url: str, bodies: Sequence[dict[str, Any]], *, concurrency: int, streamed: bool) -> Answer:
    from openai import AsyncOpenAI  # noqa: PLC0415  only in its own environment

    if not streamed:
        raise ValueError("only streams are compared")
    told = {"chunks": 0, "output_tokens": 0, "answered": 0, "failed": ""}
    queue = deque(bodies)
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        began_s = time.process_time()  # as with ours, after the client has loaded the machine's certificates

        async def work() -> None:
            while queue:
                body = queue.popleft()
                known = {name: value for name, value in body.items() if name in KNOWN}
                more = {name: value for name, value in body.items() if name not in KNOWN | {"stream"}}
                stream = await client.chat.completions.create(**known, stream=True, extra_body=more)
                said: list[str] = []
                async for chunk in stream:
                    told["chunks"] += 1
                    if chunk.usage:
                        told["output_tokens"] += chunk.usage.completion_tokens
                    if chunk.choices and chunk.choices[0].delta.content:
                        said.append(chunk.choices[0].delta.content)
                told["answered"] += bool(said)

        await asyncio.gather(*(work() for _ in range(concurrency)))
        return {"cpu_s": time.process_time() - began_s, **told}


def main(client: Callable[..., Answer]) -> None:
    """Answer each line."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(client(asked.pop("url"), asked.pop("bodies"), **asked)), flush=True)


if __name__ == "__main__":
    main({"energygate": energygate, "openai": openai}[sys.argv[1]])
