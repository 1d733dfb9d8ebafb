"""A chat server that behaves as badly as it is told to: `python scripted_server.py --port N --mode MODE [--after N]`.

The first `--after` requests are answered well, all later ones as MODE says. `--stream` says what becomes of requests
for a stream, `--owner` who it claims to be, and with `--counters` it counts tokens as llama.cpp does. Before each
answer it thinks for `--think` seconds: a server that answers at once leaves the client alone with the processor.
"""

import argparse
import asyncio
import json
import os
import signal
import sys

GOOD = {
    "model": "scripted",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Apples."}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 4},
}


def usage(sent, received, **details):
    return {"prompt_tokens": sent, "completion_tokens": received, **details}


def with_usage(sent, received, **details):
    return 200, json.dumps(GOOD | {"usage": usage(sent, received, **details)})


def cached(count):
    return with_usage(10, 4, prompt_tokens_details={"cached_tokens": count})


def with_choice(**choice):
    return 200, json.dumps(GOOD | {"choices": [{"message": {"content": "Apples."}, **choice}]})


def echo(body, key):
    prompt = body["messages"][-1]["content"]
    return 400, json.dumps({"error": {"message": f"refused {prompt!r} by {key}: {json.dumps(body)}"}})


def as_asked(body):
    """Stop after four tokens, unless the end-of-text token is to be ignored."""
    if not body.get("ignore_eos"):
        return with_usage(10, 4)
    return 200, json.dumps(
        GOOD | {"choices": [{"text": "x", "finish_reason": "length"}], "usage": usage(10, body["max_tokens"])}
    )


def salted(body, seen):
    """Refuse what vLLM would answer from its cache."""
    salt = body.get("cache_salt")
    if salt is None or salt in seen:
        return 400, f"cache_salt {salt!r} again"
    seen.add(salt)
    return with_usage(10, 4)


# Status and text for the list of models.
LISTS = {"no_list": (404, "not found"), "bad_list": (200, "[]"), "closed_list": (401, '{"error": "no key"}')}

# Status and text for the POST of that number.
ANSWERS = {
    "good": lambda number, body, key: (200, json.dumps(GOOD)),
    "no_usage": lambda number, body, key: (200, json.dumps({k: v for k, v in GOOD.items() if k != "usage"})),
    "no_finish": lambda number, body, key: with_choice(),
    "filtered": lambda number, body, key: with_choice(finish_reason="content_filter"),
    "full": lambda number, body, key: with_choice(finish_reason="length"),
    "other_model": lambda number, body, key: (200, json.dumps(GOOD | {"model": "another"})),
    "error_200": lambda number, body, key: (200, json.dumps({"error": {"message": "out of memory"}})),
    "html": lambda number, body, key: (200, "<html>\r\n<body>Bad gateway</body></html>"),
    "completions": lambda number, body, key: (
        200,
        json.dumps({"choices": [{"text": "Apples.", "finish_reason": "stop"}]}),
    ),
    "no_choices": lambda number, body, key: (200, json.dumps(GOOD | {"choices": []})),
    "latin_1": lambda number, body, key: (200, '{"model": "\udce9"}'),
    "echo_400": lambda number, body, key: echo(body, key),
    "long_400": lambda number, body, key: (
        400,
        '{"error": {"message": "request (3031 tokens) exceeds the available context size (2048 tokens)"}}',
    ),
    "status_429": lambda number, body, key: (429, '{"error": {"message": "slow down"}}'),
    "status_500": lambda number, body, key: (500, "internal\terror"),
    "zero_usage": lambda number, body, key: with_usage(0, 0),
    "more_input": lambda number, body, key: with_usage(11, 4),
    "more_output": lambda number, body, key: with_usage(10, 4 + number),
    "cached_3": lambda number, body, key: cached(3),
    "cached_by_number": lambda number, body, key: cached(number),
    "uncounted_length": lambda number, body, key: (
        200,
        json.dumps({"choices": [{"message": {"content": "Apples."}, "finish_reason": "length"}]}),
    ),
    "as_asked": lambda number, body, key: as_asked(body),
}


def data(**chunk):
    return f"data: {json.dumps({'model': 'scripted', **chunk})}\n\n".encode()


def said(text):
    return data(choices=[{"delta": {"content": text}}])


FINISH = data(choices=[{"delta": {}, "finish_reason": "stop"}])
COUNTED = data(choices=[], usage=usage(10, 4))
ROLE = data(choices=[{"delta": {"role": "assistant", "content": None}}], usage=None)
DONE = b"data: [DONE]\n\n"
WORDS = (ROLE, said("Apples"), said("."))

# The bytes of a stream; `hang`, `die` and `cut` say how it goes on instead of ending.
STREAMS = {
    "good": (*WORDS, FINISH, COUNTED, DONE),
    "separators": (said("Apples\u2028.\x85").replace(b"\n\n", b"\r\n\r\n"), FINISH, b": still here\n\n", COUNTED),
    "no_usage": (*WORDS, FINISH, DONE),
    "no_finish": (*WORDS, COUNTED, DONE),
    "cut": (*WORDS, "cut"),
    "error_event": (*WORDS, b'data: {"error": {"message": "out of memory"}}\n\n', DONE),
    "quoting": (*WORDS, b'data: {"error": {"message": "no tool: Apples. and no more"}}\n\n', DONE),
    "garbage": (*WORDS, b"data: {Bad gateway\n\n", DONE),
    "comments": (b": waiting\n\n", b": waiting\n\n"),
    "zero_usage": (*WORDS, FINISH, data(choices=[], usage=usage(0, 0)), DONE),
    "silent": (ROLE, "hang"),
    "hang": (*WORDS, "hang"),
    "die": (*WORDS, "die"),
}


class Scripted:
    def __init__(self, chosen):
        self.chosen, self.mode, self.after = chosen, chosen.mode, chosen.after
        self.posts = 0
        self.input_tokens = self.output_tokens = 0
        self.salts = set()

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if head[0].startswith("POST") and json.loads(body).get("stream") and self.chosen.stream in {"yes", "no_usage"}:
            self.posts += 1
            mode = self.mode if self.posts > self.after else "good"
            if mode in STREAMS or mode not in ANSWERS:
                await self.stream(writer, "no_usage" if self.chosen.stream == "no_usage" else mode)
                return
            self.posts -= 1
        status, text = await self.reply(head[0], body, headers.get("authorization", ""))
        content = text.encode(errors="surrogateescape")
        writer.write(
            f"HTTP/1.1 {status} -\r\nContent-Type: text/plain\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        writer.close()

    async def stream(self, writer, mode):
        await asyncio.sleep(self.chosen.think)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        parts = (
            (said("x") for _ in range(self.chosen.chunks)) if mode == "chatty" else STREAMS.get(mode, STREAMS["good"])
        )
        for part in parts:
            if part == "hang":
                await asyncio.Event().wait()
            if part == "die":
                await writer.drain()
                os.kill(os.getpid(), signal.SIGKILL)
            if part == "cut":
                writer.close()
                return
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            if mode == "chatty":
                await writer.drain()
                await asyncio.sleep(self.chosen.pause)
        for part in (FINISH, COUNTED) if mode == "chatty" else ():
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.count()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    def count(self):
        self.input_tokens += 10
        self.output_tokens += 4

    async def reply(self, request, body, key):
        if request.startswith("GET"):
            return self.metrics() if " /metrics " in request else self.described(request)
        asked = json.loads(body)
        if asked.get("stream") and self.chosen.stream == "refused":
            return 400, '{"error": {"message": "stream_options: extra fields not permitted"}}'
        await asyncio.sleep(self.chosen.think)
        self.posts += 1
        self.count()
        return await self.answer(request, asked, key)

    def described(self, request):
        if " /health " in request and self.mode == "no_health":
            return 404, "not found"
        if " /v1/models " in request and self.mode in LISTS:
            return LISTS[self.mode]
        if " /health " in request:
            return (503, '{"error": {"message": "Loading model"}}') if self.mode == "deaf" else (200, "{}")
        return 200, json.dumps({"data": [{"id": "scripted", "owned_by": self.chosen.owner}]})

    async def answer(self, request, asked, key):
        if self.mode == "salted":
            return salted(asked, self.salts)
        if self.mode == "by_prompt":  # bad for one prompt alone
            return ANSWERS["long_400" if "too long" in json.dumps(asked) else "good"](self.posts, asked, key)
        if self.mode == "of_prompts" and not ("prompt" in asked and " /v1/completions " in request):
            return 400, f"no completion: {request}"
        if self.posts <= self.after:
            return 200, json.dumps(GOOD)
        if self.mode == "hang":
            await asyncio.Event().wait()
        if self.mode == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "chatty":
            await asyncio.sleep(self.chosen.chunks * self.chosen.pause)
        return ANSWERS.get(self.mode, ANSWERS["good"])(self.posts, asked, key)

    def metrics(self):
        if not self.chosen.counters:
            return 404, "not found"
        foreign = 5 if self.mode == "foreign" and self.posts > self.after else 0
        return 200, "".join(
            f"llamacpp:{name} {value}\n"
            for name, value in {
                "prompt_tokens_total": self.input_tokens + foreign,
                "prompt_tokens_cached_total": 0,
                "tokens_predicted_total": self.output_tokens,
                "requests_processing": 0,
                "requests_deferred": 0,
            }.items()
        )


async def main(chosen):
    if chosen.mode == "quit":
        sys.stderr.write("loading\nno such model: \x1b[31mtiny\x1b[0m\n")
        raise SystemExit(3)
    if chosen.mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = await asyncio.start_server(Scripted(chosen).serve, "127.0.0.1", chosen.port)
    await server.serve_forever()


if __name__ == "__main__":
    cli = argparse.ArgumentParser()
    cli.add_argument("--port", type=int, required=True)
    cli.add_argument("--mode", default="good")
    cli.add_argument("--after", type=int, default=0)
    cli.add_argument("--stream", choices=["ignored", "yes", "no_usage", "refused"], default="ignored")
    cli.add_argument("--owner", default="tests")
    cli.add_argument("--counters", action="store_true")
    cli.add_argument("--chunks", type=int, default=100)
    cli.add_argument("--pause", type=float, default=0.02)
    cli.add_argument("--think", type=float, default=0.01)
    asyncio.run(main(cli.parse_args()))
