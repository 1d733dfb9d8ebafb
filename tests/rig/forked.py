"""`energygate …` in a process of its own, forked from one that has imported everything.

Half a second of every start is Python's and its imports', always the same. What tests need of a process is its own
environment, folder, streams, signals and exit code: a fork has them all. What it does not show is what is imported,
and when: tests of that start Python itself.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_")
_SIZE = 1 << 20


def run_energygate(*words, cwd, env, strict=False):
    """Run `python -m energygate` to its end; give its exit code and both streams.

    Parameters
    ----------
    strict : bool
        Whether every warning is an error, as by `-W error`.
    """
    request = {"words": list(map(str, words)), "cwd": str(cwd), "env": dict(env), "strict": strict}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        code = _origin(_as_read_at_start(env)).ask(request, out, err)
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def _as_read_at_start(env):
    """What Python or the loader reads when it starts: a fork cannot change its mind about that."""
    return tuple(sorted((name, value) for name, value in env.items() if name.startswith(_READ_AT_START)))


class _Origin:
    """The process that forks, for as long as the tests run; no child of theirs, as some of them count those."""

    def __init__(self, read_at_start):
        ours, theirs = socket.socketpair()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_READ_AT_START)}
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            subprocess.run(command, env=kept | dict(read_at_start), pass_fds=[theirs.fileno()], check=True)
        self._socket = ours
        atexit.register(ours.close)

    def ask(self, request, out, err):
        """Have one forked; give its exit code."""
        data = json.dumps(request).encode()
        assert len(data) < _SIZE
        socket.send_fds(self._socket, [data], [out.fileno(), err.fileno()])
        answer = self._socket.recv(16)
        assert answer, "the process that forks has ended"
        return int(answer)


_origin = functools.cache(_Origin)


def _serve(connection):
    """Fork one for each request. Comes back in the forked one, with its request; ends where nobody asks any more."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, _SIZE, 2)
        if not data:
            os._exit(0)
        child = os.fork()
        if child == 0:
            connection.close()
            return json.loads(data), descriptors
        for each in descriptors:
            os.close(each)
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(request, descriptors):
    """Be what a start would have made. Python's streams stay: they write to whatever their descriptor is."""
    with open(os.devnull) as nothing:  # noqa: PTH123
        for source, target in zip((nothing.fileno(), *descriptors), range(3), strict=True):
            os.dup2(source, target)
    for each in descriptors:
        os.close(each)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["energygate", *request["words"]]
    sys.path[0] = request["cwd"]
    if request["strict"]:
        warnings.simplefilter("error")


def import_everything():
    """Import all of energygate, and what it imports late."""
    package = importlib.import_module("energygate")  # only now: which one it is depends on sys.path
    for module in pkgutil.walk_packages(package.__path__, "energygate."):
        if module.name != "energygate.__main__":
            importlib.import_module(module.name)
    for name in ("scipy.special", "pynvml", "httpcore", "httpx", "rich.progress", "github3"):
        importlib.import_module(name)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    sys.path.insert(1, str(Path(__file__).parents[2]))
    import_everything()
    gc.collect()
    gc.freeze()  # or each collection before a trial would look through all that the other commands import
    _become(*_serve(socket.socket(fileno=int(sys.argv[1]))))
    runpy.run_module("energygate", run_name="__main__", alter_sys=True)
