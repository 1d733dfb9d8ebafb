import pytest

from energygate.meters.nvidia.processes import GpuProcess, Kinship

OURS = 100


class Procfs:
    """A /proc of a few processes: `procfs.add(pid, parent=, session=)`."""

    def __init__(self, root, namespace):
        self.root = root
        (root / "self/ns").mkdir(parents=True)
        (root / "self/ns/pid").symlink_to(namespace)
        self.add(1, parent=0)
        self.add(OURS, parent=1)

    def add(self, pid, *, parent, session=0):
        (self.root / str(pid)).mkdir()
        (self.root / f"{pid}/stat").write_text(f"{pid} (a) S (b) S {parent} {pid} {session}{46 * ' 0'}")

    def foreign(self, *pids, **more):
        return Kinship(proc=self.root, own_pid=OURS).foreign(pids, **more)


@pytest.fixture
def procfs(tmp_path):
    return Procfs(tmp_path, "pid:[4026531836]")


@pytest.fixture
def container(tmp_path):
    return Procfs(tmp_path, "pid:[4026532198]")


def test_we_and_what_descends_from_us_are_ours(procfs):
    procfs.add(101, parent=OURS)
    procfs.add(102, parent=101)
    assert procfs.foreign(OURS, 101, 102) == frozenset()


def test_our_parent_and_its_other_children_are_foreign(procfs):
    procfs.add(50, parent=1)
    assert procfs.foreign(1, 50) == {1, 50}


def test_a_named_server_and_its_workers_are_ours(procfs):
    procfs.add(50, parent=1)
    procfs.add(51, parent=50)
    assert procfs.foreign(50, 51, ours=(50,)) == frozenset()


def test_a_daemon_whose_session_we_started_is_ours(procfs):
    procfs.add(101, parent=OURS, session=101)
    procfs.add(103, parent=1, session=101)
    procfs.add(104, parent=1, session=99)
    assert procfs.foreign(103, 104) == {104}


def test_a_process_that_is_not_in_proc_is_foreign(procfs):
    assert procfs.foreign(7777) == {7777}
    assert procfs.foreign(7777, before=frozenset()) == {7777}


def test_in_a_pid_namespace_an_unknown_process_that_came_later_is_the_workloads(container):
    container.add(50, parent=1)
    assert container.foreign(7777, 8888, 50, before={8888}) == {8888, 50}


def test_in_a_pid_namespace_an_unknown_process_at_the_start_is_foreign(container):
    assert container.foreign(7777) == {7777}


def test_in_a_pid_namespace_it_is_not_certain_that_nobody_is_foreign(container):
    container.add(101, parent=OURS)
    assert container.foreign(7777, before={8888}) is None
    assert container.foreign(101, before={8888}) is None
    assert container.foreign() is None
    assert not Kinship(proc=container.root).is_certain


def test_a_namespace_that_is_named_as_the_first_is_certain(container):
    kinship = Kinship(proc=container.root, own_pid=OURS, first_namespace="pid:[4026532198]")
    assert kinship.is_certain
    assert kinship.foreign([7777], before={8888}) == {7777}


def test_without_proc_nothing_is_certain(tmp_path):
    assert Kinship(proc=tmp_path, own_pid=OURS).foreign([7777], before={8888}) is None


def test_processes_that_are_each_others_parent_end_the_search(procfs):
    procfs.add(60, parent=61)
    procfs.add(61, parent=60)
    assert procfs.foreign(60) == {60}


def test_a_process_shows_its_memory_where_that_is_known():
    assert [str(GpuProcess(pid=5, memory_mib=1024)), str(GpuProcess(pid=6))] == ["pid 5 (1024 MiB)", "pid 6"]
