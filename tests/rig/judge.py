"""Put an independent judge of GitHub's contract between our client and the fake GitHub, and run their tests again.

    python tests/rig/judge.py [pytest's arguments]

The judge is prism, as a proxy that answers by an error of its own where a request or an answer breaks the description.
It needs node; npx fetches it. Tests of what it cannot carry skip and say so.
"""

import gzip
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
DESCRIPTION = ROOT / "tests" / "contract" / "github" / "sub.json.gz"
PRISM = "@stoplight/prism-cli@5.14.2"
WAIT_S = 300
"""Until it listens; the first time npx downloads it."""


def main(arguments):
    """Give pytest's exit code, or 1 where the judge says that something broke the description."""
    fake_port, port = free_ports()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        (description := Path(folder) / "sub.json").write_bytes(gzip.decompress(DESCRIPTION.read_bytes()))
        command = ["npx", "--yes", PRISM, "proxy", description, f"http://127.0.0.1:{fake_port}", "--errors"]
        with (log := Path(folder) / "log").open("wb") as out:
            judge = subprocess.Popen(
                [*command, "-h", "127.0.0.1", "-p", str(port)],
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(port, judge, log)
            judged = os.environ | {"ENERGYGATE_JUDGE_URL": url, "ENERGYGATE_JUDGED_PORT": str(fake_port)}
            code = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=judged, check=False)
        finally:
            os.killpg(judge.pid, signal.SIGTERM)
            judge.wait()
        broken = [line for line in log.read_text(encoding="utf-8").splitlines() if "✖" in line]
    sys.stdout.write(
        "\n".join(["The judge's complaints:", *broken] if broken else ["The judge has no complaint."]) + "\n"
    )
    return code.returncode or int(bool(broken))


def free_ports():
    """Two ports of loopback that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def wait_for(port, process, log):
    """Return once something listens there."""
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"the judge does not start:\n{log.read_text(encoding='utf-8')}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["tests/contract", "tests/unit", "tests/e2e"]))
