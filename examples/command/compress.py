"""Compress generated text, and say how many blocks that were: the work of one trial."""

import argparse
import json
import os
import random
import zlib
from pathlib import Path

BLOCK_BYTES = 256 * 1024


def block(words: random.Random) -> bytes:
    """Text that compresses about as well as a log file does; the same seed gives the same text."""
    vocabulary = [f"word{number}" for number in range(500)]
    return " ".join(words.choices(vocabulary, k=BLOCK_BYTES // 8)).encode()


def main() -> None:
    """Compress, then report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=120)
    parser.add_argument("--level", type=int, default=6, help="zlib's compression level: more work for fewer bytes")
    chosen = parser.parse_args()
    data = block(random.Random(7))  # noqa: S311  test data, not a secret
    compressed = sum(len(zlib.compress(data, chosen.level)) for _ in range(chosen.blocks))
    print(f"{chosen.blocks} blocks, {compressed} bytes")
    if path := os.environ.get("ENERGYGATE_RESULT"):  # energygate sets it; without it this is an ordinary program
        Path(path).write_text(json.dumps({"requests": chosen.blocks}), encoding="utf-8")


if __name__ == "__main__":
    main()
