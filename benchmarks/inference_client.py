"""What energygate's own HTTP client costs: CPU time beside a real model's, and beside the openai SDK's.

RAPL sees the client too, so its CPU time is in every number of an inference suite. Each client is a process of its own,
and they take turns: first at the model of `examples/llm_suite`, one request at a time, then at a scripted server whose
streams are many or fast. At last the real server gets 300 requests of one token, and the example is run as it stands.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import jsonschema
from claims import Claim, give_up, settle
from peers import MissingError, python_with

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = ROOT / "examples" / "llm_suite"
OPENAI: Final = "openai==3.57.0"
MOST_STREAMED, MOST_UNSTREAMED = 0.04, 0.01
EXAMPLE_S: Final = 60.0
ROUNDS: Final = 2
TOKENS: Final = 64
MANY: Final = 300
BULK_CHUNKS: Final = 20_000
PACE: Final = 50.0
PACED_S: Final = 3.0
PACED_STREAMS: Final = (1, 16, 64)
US: Final = 1e6
OURS, THEIRS = "energygate", "openai"


class Spent(NamedTuple):
    """What some exchanges cost: seconds of CPU time, and objects in streams."""

    cpu_s: float = 0.0
    chunks: int = 0
    server_s: float = 0.0

    def plus(self, other: Self) -> "Spent":
        """Add up."""
        return Spent(*map(sum, zip(self, other, strict=True)))

    @property
    def chunk_us(self) -> float:
        """Microseconds of CPU time a chunk."""
        return self.cpu_s / self.chunks * US

    @property
    def share(self) -> float:
        """Of the server's CPU time."""
        return self.cpu_s / self.server_s


class Client:
    """A contestant's process."""

    def __init__(self, name: str, python: Path) -> None:
        pipe = subprocess.PIPE
        command = [str(python), str(Path(__file__).with_name("client_contestant.py")), name]
        self.name = name
        self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.communicate()

    def ask(self, url: str, bodies: Sequence[Mapping[str, Any]], *, concurrency: int, streamed: bool) -> dict[str, Any]:
        """Let it send these, and give what it says."""
        assert self.child.stdin is not None  # noqa: S101  it is a pipe
        assert self.child.stdout is not None  # noqa: S101  it is a pipe
        asked = {"url": url, "bodies": bodies, "concurrency": concurrency, "streamed": streamed}
        self.child.stdin.write(json.dumps(asked) + "\n")
        self.child.stdin.flush()
        said = self.child.stdout.readline()
        if not said:
            give_up(f"{self.name} ended without an answer")
        told: dict[str, Any] = json.loads(said)
        return told

    def spend(self, url: str, bodies: Sequence[Mapping[str, Any]], *, concurrency: int, streamed: bool) -> Spent:
        """Let it send these, and give the cost; each must have got an answer of full length."""
        told = self.ask(url, bodies, concurrency=concurrency, streamed=streamed)
        expected = sum(body["max_tokens"] for body in bodies)
        if told["failed"] or told["output_tokens"] != expected:
            give_up(f"{self.name}: {told}, and not {expected} output tokens")
        return Spent(cpu_s=told["cpu_s"], chunks=told["chunks"])


def main() -> int:
    """Measure, print, and settle the claims."""
    pythons, missing = {OURS: Path(sys.executable)}, ""
    try:
        pythons[THEIRS] = python_with("openai", OPENAI)
    except MissingError as error:
        missing = f"the openai SDK could not be installed: not compared ({error})"
    with ExitStack() as stack:
        clients = {name: stack.enter_context(Client(name, python)) for name, python in pythons.items()}
        scripted = at_scripted_server(clients)
        real, many = at_real_server(clients)
    report(scripted, real, missing)
    return settle([*claims(scripted, real), many, *example()])


def environment(**more: str) -> dict[str, str]:
    """Give a child's environment, in which this tree's energygate is the one that is imported."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@contextmanager
def running(*command: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server that prints where it listens in its last word; give that too."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None  # noqa: S101  it is a pipe
        try:
            words = server.stdout.readline().split()
            if not words:
                give_up(f"{command[1]} did not start")
            yield server, words[-1]
        finally:
            server.kill()


def at_scripted_server(clients: Mapping[str, Client]) -> dict[str, dict[str, Spent]]:
    """Cost of each kind of load, by client."""
    bulk = [{"messages": [{"role": "user", "content": "x"}], "model": "scripted", "max_tokens": BULK_CHUNKS, "pace": 0}]
    paced = bulk[0] | {"max_tokens": int(PACE * PACED_S), "pace": PACE}
    loads = {"scripted, 1 stream in bulk": bulk}
    loads |= {f"scripted, {streams} x {PACE:.0f}/s": [paced] * streams for streams in PACED_STREAMS}
    with running(sys.executable, "stream_server.py", cwd=ROOT / "benchmarks") as (_, port):
        url = f"http://127.0.0.1:{port}/v1"
        for client in clients.values():
            client.spend(url, [bulk[0] | {"max_tokens": 100}], concurrency=1, streamed=True)  # imports, caches
        return {title: in_turns(clients, url, bodies) for title, bodies in loads.items()}


def in_turns(clients: Mapping[str, Client], url: str, bodies: Sequence[Mapping[str, Any]]) -> dict[str, Spent]:
    """Let the clients send all of them at once, in turns."""
    spent = dict.fromkeys(clients, Spent())
    for _ in range(ROUNDS):
        for name, client in clients.items():
            spent[name] = spent[name].plus(client.spend(url, bodies, concurrency=len(bodies), streamed=True))
    return spent


def at_real_server(clients: Mapping[str, Client]) -> tuple[dict[str, Spent], Claim]:
    """Cost beside a real model's, by client and whether streamed; and whether many requests are all answered."""
    prompts = [json.loads(line)["prompt"] for line in (EXAMPLE / "decode.jsonl").read_text().splitlines()]
    ways = {f"{name}, streamed": (client, True) for name, client in clients.items()}
    ways[f"{OURS}, unstreamed"] = (clients[OURS], False)
    spent = dict.fromkeys(ways, Spent())
    command = (sys.executable, "serve.py", "--port", "0", "--threads", "1")
    with running(*command, cwd=EXAMPLE) as (server, address):
        url = f"{address}/v1"
        for client in clients.values():
            client.spend(url, [body(prompts[0], tokens=8, streamed=True)], concurrency=1, streamed=True)
        for _ in range(ROUNDS):
            for way, (client, streamed) in ways.items():
                bodies = [body(prompt, tokens=TOKENS, streamed=streamed) for prompt in prompts]
                before_s = cpu_s(server.pid)
                cost = client.spend(url, bodies, concurrency=1, streamed=streamed)
                spent[way] = spent[way].plus(cost._replace(server_s=cpu_s(server.pid) - before_s))
        short = body(prompts[0], tokens=1, streamed=True) | {"cache_prompt": True}
        told = clients[OURS].ask(url, [short] * MANY, concurrency=1, streamed=True)
    sentence = f"all of {MANY} streamed requests of one token are answered: {told['answered']} {told['failed']}".strip()
    return spent, Claim(sentence, (told["answered"], told["output_tokens"], told["failed"]) == (MANY, MANY, ""))


def body(prompt: str, *, tokens: int, streamed: bool) -> dict[str, Any]:
    """Give a request as a suite sends it to llama.cpp: of exact length, without the prefix cache."""
    stream = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    asked = {"model": "smollm2-135m", "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens}
    return asked | {"temperature": 0, "seed": 7, "ignore_eos": True, "cache_prompt": False} | stream


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(scripted: Mapping[str, Mapping[str, Spent]], real: Mapping[str, Spent], missing: str) -> None:
    """Print the table."""
    print("CPU time of the clients, user + system\n")
    print(f"{'':32}{'chunks':>8}{OURS:>14}{THEIRS:>12}{'ratio':>8}{'of the server':>16}")
    print(f"{'':40}{'µs a chunk':>14}{'µs a chunk':>12}")
    streamed = {name.partition(",")[0]: spent for name, spent in real.items() if name.endswith(", streamed")}
    rows = {"SmolLM2-135M, streamed": streamed, **scripted}
    for title, spent in rows.items():
        ours, theirs = spent[OURS], spent.get(THEIRS)
        beside = f"{theirs.chunk_us:12.0f}{ours.chunk_us / theirs.chunk_us:8.2f}" if theirs else f"{'':20}"
        share = f"{ours.share:16.2%}" if ours.server_s else ""
        print(f"{title:32}{ours.chunks:8}{ours.chunk_us:14.0f}{beside}{share}")
    print(f"{'SmolLM2-135M, unstreamed':32}{'':42}{real[f'{OURS}, unstreamed'].share:16.2%}")
    if missing:
        print(f"\n{missing}")


def claims(scripted: Mapping[str, Mapping[str, Spent]], real: Mapping[str, Spent]) -> Iterator[Claim]:
    """Give what the documentation says of the client."""
    for way, most in {"streamed": MOST_STREAMED, "unstreamed": MOST_UNSTREAMED}.items():
        share = real[f"{OURS}, {way}"].share
        yield Claim(f"{way}, one at a time: at most {most:.0%} of the server's CPU time: {share:.2%}", share <= most)
    for title, spent in scripted.items():
        if THEIRS in spent:
            ours_us, theirs_us = spent[OURS].chunk_us, spent[THEIRS].chunk_us
            sentence = f"{title}: less a chunk than the openai SDK: {ours_us:.0f} µs, {theirs_us:.0f} µs"
            yield Claim(sentence, ours_us < theirs_us)


def example() -> Iterator[Claim]:
    """Run the example as its page says; it must be short, give a valid run and leave no process."""
    mark = uuid.uuid4().hex  # which the server inherits
    with tempfile.TemporaryDirectory(prefix="energygate-example-") as name:
        folder = Path(shutil.copytree(EXAMPLE, Path(name) / "llm_suite"))
        words = ("run", "chat.energy.yml", "--mode", "measure", "--allow-estimates", "--save", "run.json")
        command = [sys.executable, "-m", "energygate", *words]
        began_s, began_cpu_s = time.monotonic(), children_s()
        ended = subprocess.run(
            command, cwd=folder, env=environment(BENCHMARK_MARK=mark), capture_output=True, text=True, check=False
        )
        took_s, took_cpu_s = time.monotonic() - began_s, children_s() - began_cpu_s
        if ended.returncode != 0:
            give_up(f"the example ended with status {ended.returncode}:\n{ended.stderr}")
        fault = faults(json.loads((folder / "run.json").read_text()))
    spent = f"{took_s:.0f} s, {took_cpu_s:.0f} of them on a processor"
    yield Claim(f"the example of one suite ends within {EXAMPLE_S:.0f} s: {spent}", took_s <= EXAMPLE_S)
    yield Claim(f"its run is as published, all trials valid: {fault or 'yes'}", not fault)
    left = [pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and mark.encode() in environment_of(pid)]
    yield Claim(f"it leaves no process: {', '.join(pid.name for pid in left) or 'none'}", not left)


def children_s() -> float:
    """CPU time of all that this process has started and that has ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def faults(run: Mapping[str, Any]) -> str:
    """Say what is wrong with a run."""
    printed = subprocess.run(
        [sys.executable, "-m", "energygate", "schema", "run"],
        env=environment(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    wrong = [error.message for error in jsonschema.Draft202012Validator(json.loads(printed)).iter_errors(run)]
    kinds = Counter(
        trial["invalid"] for bench in run["benchmarks"] for trial in bench["trials"] if trial.get("invalid")
    )
    return "; ".join([*wrong, *kinds])


def environment_of(process: Path) -> bytes:
    """Give what a process was started with; nothing where that is not ours to read, or gone."""
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
