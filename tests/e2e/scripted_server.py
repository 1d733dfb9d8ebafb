"""A chat server that behaves as badly as it is told to: `python scripted_server.py --port N --mode MODE [--after N]`.

The first `--after` requests are answered well, all later ones as MODE says.
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


def with_usage(sent, received):
    return 200, json.dumps(GOOD | {"usage": {"prompt_tokens": sent, "completion_tokens": received}})


def with_choice(**choice):
    return 200, json.dumps(GOOD | {"choices": [{"message": {"content": "Apples."}, **choice}]})


def echo(body, key):
    prompt = body["messages"][-1]["content"]
    return 400, json.dumps({"error": {"message": f"refused {prompt!r} by {key}: {json.dumps(body)}"}})


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
    "status_500": lambda number, body, key: (500, "internal\terror"),
    "more_input": lambda number, body, key: with_usage(11, 4),
    "more_output": lambda number, body, key: with_usage(10, 4 + number),
}


class Scripted:
    def __init__(self, chosen):
        self.mode, self.after, self.posts = chosen.mode, chosen.after, 0

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        status, text = await self.reply(head[0], body, headers.get("authorization", ""))
        content = text.encode(errors="surrogateescape")
        writer.write(
            f"HTTP/1.1 {status} -\r\nContent-Type: text/plain\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        writer.close()

    async def reply(self, request, body, key):
        if " /health " in request and self.mode == "no_health":
            return 404, "not found"
        if " /v1/models " in request and self.mode in LISTS:
            return LISTS[self.mode]
        if " /health " in request:
            return (503, '{"error": {"message": "Loading model"}}') if self.mode == "deaf" else (200, "{}")
        if " /v1/models " in request:
            return 200, json.dumps({"data": [{"id": "scripted", "owned_by": "tests"}]})
        self.posts += 1
        if self.posts <= self.after:
            return 200, json.dumps(GOOD)
        if self.mode == "hang":
            await asyncio.Event().wait()
        if self.mode == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return ANSWERS.get(self.mode, ANSWERS["good"])(self.posts, json.loads(body), key)


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
    asyncio.run(main(cli.parse_args()))
