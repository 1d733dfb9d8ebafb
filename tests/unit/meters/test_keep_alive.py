import threading

from energygate.meters.keep_alive import KeepAlive


def test_keep_alive_reads_until_it_is_stopped():
    read_twice, reads = threading.Event(), []

    def refresh():
        reads.append(threading.current_thread())
        if len(reads) >= 2:
            read_twice.set()

    with KeepAlive(refresh, every_s=0.001, name="rapl"):
        assert read_twice.wait(30)
    thread = reads[0]
    assert (thread.name, thread.daemon, thread.is_alive()) == ("energygate-rapl", True, False)
