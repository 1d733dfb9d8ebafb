"""A first inference suite, for the server that a repository mentions; pure."""

from typing import Final

from energygate.starter.filling import filled
from energygate.starter.found import ModelServer

# As docs/inference.md starts them. {model} is filled in here, {python} and {port} by the suite.
_COMMANDS: Final = {
    "vllm": 'vllm, serve, "{model}", --port, "{port}"',
    "sglang": '"{python}", -m, sglang.launch_server, --model-path, "{model}", --port, "{port}", --enable-metrics',
    "llama.cpp": 'llama-server, -m, "{model}", --port, "{port}", --metrics',
}
_USUAL: Final = {
    "vllm": "http://127.0.0.1:8000/v1",
    "sglang": "http://127.0.0.1:30000/v1",
    "llama.cpp": "http://127.0.0.1:8080/v1",
    "ollama": "http://127.0.0.1:11434/v1",
}
_UNKNOWN: Final = "MODEL"
_STARTED: Final = """\
    # Started before the trials, and stopped after them with everything it started.
    server:
      command: [{command}]
      ready: {{timeout: 600}}"""
_RUNNING: Final = "    # The server must be running already."
_COULD_START: Final = """
    # energygate can start it, and stop it afterwards; the url then reads http://127.0.0.1:{{port}}/v1
    #server: {{command: [{command}], ready: {{timeout: 600}}}}"""
_PID: Final = "\n      #pid: 4242 # of the server: an estimate counts the CPU seconds of that process"


def chat_suite(server: ModelServer, *, estimated: bool) -> str:
    """Give the text of a suite that asks this server.

    Parameters
    ----------
    estimated : bool
        Whether this machine only estimates: then a running server's process must be named.
    """
    words, model = _COMMANDS.get(server.name, ""), server.model or _UNKNOWN
    command = words.replace("{model}", model)
    is_started = bool(command and server.model)
    if is_started:
        how, url = _STARTED.format(command=command), "http://127.0.0.1:{port}/v1"
    else:
        how = _RUNNING + (_COULD_START.format(command=command) if command else "")
        url = server.url or _USUAL[server.name]
    return filled(
        "chat.energy.yml",
        server=how,
        url=url,
        model=model,
        preset=server.name if command else "auto",
        pid=_PID if estimated and not is_started else "",
    )
