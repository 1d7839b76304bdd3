"""Reads questions from a file, in a process of its own, and writes what it derives from each."""

import sys
from pathlib import Path

import msgspec

from icm_ray.program.program import encode_program
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.question import decode_asked

HEAVY = {"ray", "torch", "pandas", "pyarrow", "icm_ray.transport", "icm_ray.owner", "icm_ray.runtime"}


def derived(asked, members):
    """All that follows from a question, as bytes."""
    lowered = lower(asked, members)
    parts = [(part.lane, part.partition, encode_program(part.program), part.tasks) for part in lowered.programs]
    return msgspec.msgpack.encode((asked.digest, parts, lowered.kept))


if __name__ == "__main__":
    payloads, members = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=tuple[list[bytes], Members])
    found = [derived(decode_asked(payload), members) for payload in payloads]
    Path(sys.argv[2]).write_bytes(msgspec.msgpack.encode(found))
    if heavy := HEAVY & set(sys.modules):
        sys.exit(f"loaded: {', '.join(sorted(heavy))}")
