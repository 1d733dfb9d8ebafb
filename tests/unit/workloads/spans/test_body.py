import io

from energygate.workloads.spans.body import read_body


def test_a_body_in_very_many_chunks_is_read_in_little_time():
    count = 500_000  # with time that grows as their square, nobody would see this end
    chunks = io.BytesIO(b"1\r\na\r\n" * count + b"0\r\n\r\n")
    assert read_body({"Transfer-Encoding": "chunked"}, chunks) == b"a" * count
