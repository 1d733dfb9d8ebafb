import pytest

from energygate.workloads.inference.sse import Events


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b'data: {"a": 1}\n\ndata: [DONE]\n\n', [b'{"a": 1}', b"[DONE]"]),
        (b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', [b'{"a": 1}', b"[DONE]"]),
        (b"data:1\ndata: 2\ndata:  3 \n", [b"1", b"2", b"3"]),
        (b": keep-alive\n\n:\nevent: message\nid: 4\nretry: 9\nerror: 5\ndata\n\n", []),
        ('data: "\u2028\u2029\u0085\x0b\x0c\x1c"\n'.encode(), ['"\u2028\u2029\u0085\x0b\x0c\x1c"'.encode()]),
        (b"data: 1\ndata: 2", [b"1"]),  # cut off: never given, because nothing tells whether it is whole
        (b"", []),
    ],
)
def test_only_whole_data_lines_are_given_and_only_a_line_feed_ends_them(stream, payloads):
    assert Events().feed(stream) == payloads


def test_a_line_is_given_once_its_end_has_come():
    events = Events()
    assert events.feed(b"da") == []
    assert events.feed(b"ta: 1") == []
    assert events.feed(b"2\r") == []
    assert events.feed(b"\ndata: 3\nda") == [b"12", b"3"]
    assert events.feed(b"ta: 4\n") == [b"4"]
