"""The body of an HTTP request, as exporters send it: of known length or in chunks, plain or gzip, and bounded."""

import re
import zlib
from collections.abc import Iterator, Mapping
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from typing import Final

Headers = Mapping[str, str] | Message

MAX_BYTES: Final = 16 * 2**20
_MOST_DRAINED: Final = 4 * MAX_BYTES
_LINE: Final = 1024
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,8}")


class Refused(Exception):  # noqa: N818  is an answer, not an error
    """A request that cannot be taken; the text says why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def read_body(headers: Headers, stream: BufferedIOBase) -> bytes:
    """Read and unpack one body; at most 16 MiB, packed and unpacked.

    Raises
    ------
    Refused
        With the status to answer.
    """
    try:
        packed = _chunked(stream) if headers.get("Transfer-Encoding") else _of_length(headers, stream)
    except TimeoutError as error:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "its body never came") from error
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        return packed
    if encoding != "gzip":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "its encoding is neither gzip nor none")
    return _unpacked(packed)


def _of_length(headers: Headers, stream: BufferedIOBase) -> bytes:
    said = headers.get("Content-Length", "")
    if not (said.isascii() and said.isdigit()):
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "it does not say its length")
    length = int(said[:20])
    if length > MAX_BYTES:
        _drain(stream, min(length, _MOST_DRAINED))
        raise _too_large()
    body = stream.read(length)
    if len(body) < length:
        raise _cut_off()
    return body


def _drain(stream: BufferedIOBase, length: int) -> None:
    # Who still writes would see a broken connection instead of the answer.
    while length > 0 and (part := stream.read(min(length, 2**16))):
        length -= len(part)


def _chunked(stream: BufferedIOBase) -> bytes:
    body = bytearray()
    for part in _chunks(stream):
        body += part
        if len(body) > MAX_BYTES:
            raise _too_large()
    return bytes(body)


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    while size := _chunk_size(stream.readline(_LINE)):
        part = stream.read(size)
        if len(part) < size:
            raise _cut_off()
        stream.readline(_LINE)
        yield part
    while stream.readline(_LINE).strip():
        pass  # trailers


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not _SIZE.fullmatch(digits):
        raise _cut_off()
    if (size := int(digits, 16)) > MAX_BYTES:
        raise _too_large()
    return size


def _unpacked(packed: bytes) -> bytes:
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        body = unzip.decompress(packed, MAX_BYTES + 1)
    except zlib.error:
        raise Refused(HTTPStatus.BAD_REQUEST, "its body is not gzip") from None
    if len(body) > MAX_BYTES:
        raise _too_large()
    if not unzip.eof or unzip.unused_data:
        raise _cut_off()
    return body


def _too_large() -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"it is larger than {MAX_BYTES // 2**20} MiB")


def _cut_off() -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "its body is cut off or broken")
