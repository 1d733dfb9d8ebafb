import socket
import subprocess
import sys

import pytest

from energygate.errors import WorkloadError
from energygate.workloads.inference.named_process import check_pid
from energygate.workloads.listening import Listening
from energygate.workloads.suites import Endpoint

LISTENS = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()
"""
BEHIND_A_SHELL = ("sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, LISTENS)
NONE = 2**22  # one more than the highest number of a process


@pytest.fixture
def server():
    """A shell whose child listens, and its port."""
    with subprocess.Popen(BEHIND_A_SHELL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        yield shell.pid, int(shell.stdout.readline())
        shell.stdin.close()


@pytest.fixture
def stranger():
    with subprocess.Popen(["sleep", "1000"]) as sleeping:
        yield sleeping.pid
        sleeping.kill()


def check(pid, port, **more):
    endpoint = Endpoint(url=f"http://127.0.0.1:{port}/v1", model="m", **more)
    return check_pid(pid, endpoint, suite="chat")


def test_the_server_or_a_process_above_it_is_the_one_that_is_meant(server):
    shell, port = server
    pid, _ = Listening.on(port).holder()
    assert pid != shell
    assert [check(pid, port), check(shell, port)] == [None, None]


def test_a_process_that_listens_nowhere_is_refused_and_the_one_that_does_is_named(server, stranger):
    _, port = server
    pid, stat = Listening.on(port).holder()
    with pytest.raises(WorkloadError) as wrong:
        check(stranger, port)
    assert str(wrong.value) == (
        f"chat: endpoint.pid: neither process {stranger} (sleep) nor a descendant of it listens where "
        f"http://127.0.0.1:{port}/v1 leads; process {pid} ({stat.name}) does. "
        "An estimate would charge the wrong process. "
        f"Write pid: {pid}; or same_machine: true, where that one only passes requests on to process {stranger}."
    )


def test_a_process_that_is_gone_is_refused(server):
    with pytest.raises(WorkloadError) as gone:
        check(NONE, server[1])
    assert str(gone.value) == (
        f"chat: endpoint.pid: no process {NONE}. Without the server's own, its CPU seconds are in no estimate, and "
        "count as foreign load. Give the number that the server has now, or let energygate start it with `server:`."
    )


def test_where_a_tunnel_may_lead_to_it_or_nobody_is_seen_to_listen_a_note_says_so(server, stranger):
    with socket.create_server(("127.0.0.1", 0)) as free:
        unheard = free.getsockname()[1]
    for port, more in ((server[1], {"same_machine": True}), (unheard, {})):
        assert check(stranger, port, **more) == (
            f"endpoint.pid: nothing shows that process {stranger} answers at http://127.0.0.1:{port}/v1. If it does "
            "not, an estimate lacks the server's CPU seconds, and they count as foreign load"
        )


def test_a_process_in_another_network_namespace_may_be_reached_as_containers_are(tmp_path):
    stat = f"7 (server) S 1 7 7 {'0 ' * 15}99 0"
    for name, namespace in (("7", "net:[2]"), ("self", "net:[1]")):
        (tmp_path / name / "ns").mkdir(parents=True)
        (tmp_path / name / "fd").mkdir()
        (tmp_path / name / "ns/net").symlink_to(namespace)
        (tmp_path / name / "stat").write_text(stat)
    listening = Listening(sockets=frozenset({"socket:[1]"}), proc=tmp_path)
    assert listening.held_by_tree(7) is None
    (tmp_path / "7/ns/net").unlink()
    (tmp_path / "7/ns/net").symlink_to("net:[1]")
    assert listening.held_by_tree(7) is False
    (tmp_path / "7/fd/3").symlink_to("socket:[1]")
    assert listening.held_by_tree(7) is True


def test_sockets_of_both_families_are_found_by_their_port_and_only_where_they_listen(tmp_path):
    line = "  0: {local}:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  0  0 {inode} 1 0 100 0"
    tables = {
        "tcp": [line.format(local="0100007F", state="0A", inode=4), line.format(local="0100007F", state="01", inode=5)],
        "tcp6": [line.format(local=f"{0:031}1", state="0A", inode=6)],
    }
    (tmp_path / "net").mkdir()
    for name, lines in tables.items():
        (tmp_path / "net" / name).write_text("\n".join(["  sl  local_address rem_address   st", *lines]))
    assert Listening.on(8080, proc=tmp_path).sockets == {"socket:[4]", "socket:[6]"}
    assert Listening.on(80, proc=tmp_path).sockets == frozenset()
