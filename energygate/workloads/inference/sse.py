"""The lines of an event stream (text/event-stream) that carry data, however the bytes were cut on their way."""


class Events:
    """Splits one stream into the payloads of its ``data:`` lines.

    Bytes are split, never text: U+2028 and U+0085 are line breaks to `str.splitlines`, but stand inside JSON strings.
    """

    def __init__(self) -> None:
        self._begun: list[bytes] = []  # pieces of a line whose end has not come yet

    def feed(self, part: bytes) -> list[bytes]:
        """Give the payload of each data line that `part` completes; other lines, comments among them, are skipped.

        A line that the stream's end cuts off is never given, as the HTML standard has it.
        """
        complete, newline, begun = part.rpartition(b"\n")
        if not newline:
            self._begun.append(part)
            return []
        lines = b"".join((*self._begun, complete)).split(b"\n")
        self._begun = [begun]
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]
