"""Streams that never decide how a verdict ends."""

import errno
import os
from threading import Thread

import pytest

from energygate.cli.streams import unfailing

TEXT = "\N{MINUS SIGN}2.2 … +15.8 µs é"


@pytest.fixture
def pipe():
    """A pipe: reader and writer."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(writer)


def write(writer, text, *, encoding="utf-8"):
    """Write to a descriptor as the program writes to stdout; give what was kept of a failure."""
    with open(writer, "w", encoding=encoding, closefd=False) as stream:
        buffer, unfailing_stream = unfailing(stream, writer)
        unfailing_stream.write(text)
        unfailing_stream.flush()
        unfailing_stream.detach()
    return buffer.failure


def test_what_is_written_arrives(pipe):
    reader, writer = pipe
    assert write(writer, "3.42 J, +4.1 %\n") is None
    assert os.read(reader, 100) == b"3.42 J, +4.1 %\n"
    os.close(reader)


def test_a_reader_that_has_gone_is_no_error_but_is_known(pipe):
    reader, writer = pipe
    os.close(reader)
    assert write(writer, "one\n" * 100_000).errno == errno.EPIPE


def test_a_full_disk_is_no_exception_but_is_known():
    full = os.open("/dev/full", os.O_WRONLY)
    assert write(full, "one\n" * 100_000).errno == errno.ENOSPC
    os.close(full)


def test_a_pipe_that_somebody_made_non_blocking_loses_nothing(pipe):
    reader, writer = pipe
    os.set_blocking(writer, False)
    read = []

    def drain():
        while len(b"".join(read)) < 400_000:
            read.append(os.read(reader, 65536))

    (draining := Thread(target=drain)).start()
    assert write(writer, "one\n" * 100_000) is None
    draining.join()
    assert b"".join(read) == b"one\n" * 100_000
    os.close(reader)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", TEXT.encode()),
        ("latin-1", b"-2.2 ... +15.8 \xb5s \xe9"),
        ("ascii", b"-2.2 ... +15.8 us \\xe9"),
    ],
)
def test_what_an_encoding_has_no_character_for_is_written_in_ascii(pipe, encoding, written):
    reader, writer = pipe
    write(writer, TEXT, encoding=encoding)
    assert os.read(reader, 100) == written
    os.close(reader)


def test_a_file_name_that_is_no_text_can_be_written(pipe):
    reader, writer = pipe
    write(writer, "caf\udce9.yml")
    assert os.read(reader, 100) == b"caf\\udce9.yml"
    os.close(reader)
