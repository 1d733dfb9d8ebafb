"""A chat server that streams chunks as llama.cpp words them, at a given pace: `python stream_server.py`.

It prints its port. The body of a request says how many chunks (`max_tokens`) and how many a second (`pace`, 0: as fast
as the connection takes them). A connection is kept unless the request asks to close it, so each client has it its way.
"""

import asyncio
import json

MODEL = "scripted"
BULK = 50  # chunks in one write


def chunk(**fields: object) -> bytes:
    """Give one event, in a chunk of the transfer encoding."""
    common = {"created": 1732000000, "id": "chatcmpl-Zr5Q0n0xLwIu3hQ0b9p3wQ4mYkV8sTtE", "model": MODEL}
    more = {"system_fingerprint": "b1-0000000", "object": "chat.completion.chunk"}
    line = f"data: {json.dumps({**fields, **common, **more}, separators=(',', ':'))}\n\n".encode()
    return framed(line)


def framed(line: bytes) -> bytes:
    """Give a chunk of the transfer encoding."""
    return f"{len(line):x}\r\n".encode() + line + b"\r\n"


def choice(finish: str | None = None, **delta: object) -> bytes:
    """Give an event with a part of the answer."""
    return chunk(choices=[{"finish_reason": finish, "index": 0, "delta": delta}])


WORD = choice(content=" word")
ROLE = choice(role="assistant", content=None)
END = framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while await answer(reader, writer):
            pass
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has closed it
    writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; say whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    asked = json.loads(await reader.readexactly(int(headers["content-length"])))
    kept = headers.get("connection") != "close"
    closing = "" if kept else "Connection: close\r\n"
    start = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{closing}Transfer-Encoding: chunked\r\n\r\n"
    writer.write(start.encode() + ROLE)
    count = asked["max_tokens"]
    await (paced(writer, count, asked["pace"]) if asked["pace"] else bulk(writer, count))
    usage = {"prompt_tokens": 10, "completion_tokens": count, "total_tokens": 10 + count}
    writer.write(choice(finish="length") + chunk(choices=[], usage=usage) + END)
    await writer.drain()
    return kept


async def paced(writer: asyncio.StreamWriter, count: int, pace: float) -> None:
    """Write a chunk at a time, when each is due."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for number in range(count):
        await asyncio.sleep(began_s + number / pace - loop.time())
        writer.write(WORD)


async def bulk(writer: asyncio.StreamWriter, count: int) -> None:
    """Write all of them."""
    for _ in range(count // BULK):
        writer.write(WORD * BULK)
        await writer.drain()
    writer.write(WORD * (count % BULK))


async def main() -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
