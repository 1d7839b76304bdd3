"""A program's name is a whole SHA-256: in keys, in frames, in what begins a run, in the files of a stock."""

import msgspec
import pytest

from icm_ray.errors import Desynchronised, ShapeError
from icm_ray.ops.seams import Address, Frame
from icm_ray.preprocessing.filling import Filling, read_filling
from icm_ray.program.keys import key_for
from icm_ray.program.run_header import Begin, read_begin
from icm_ray.program.stamped import Stamped
from icm_ray.transport.wire import HEADER_BYTES, Kind, decode, encode
from tests.program.sample import every_operation

DIGEST = Stamped(every_operation()).digest


def changed(at: int) -> bytes:
    return bytes(byte ^ (place == at) for place, byte in enumerate(DIGEST))


@pytest.mark.parametrize("at", [0, 15, 16, 31])
def test_every_byte_counts(at):
    secret = b"s" * 32
    one, other = (Address(1, digest, 0, 1) for digest in (DIGEST, changed(at)))
    keys = [key_for(secret, "pair", address).words(0, 0, 4).tolist() for address in (one, other)]
    assert keys[0] != keys[1]
    assert encode(Kind.DATA, Frame(one, 0), 8) != encode(Kind.DATA, Frame(other, 0), 8)


def test_a_header_comes_back_whole():
    frame = Frame(Address(7, DIGEST, 3, 2), 5, 1)
    head = encode(Kind.DATA, frame, 24)
    assert len(head) == HEADER_BYTES == 72
    assert decode(head) == (Kind.DATA, frame, 24)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_another_length_is_refused(size):
    with pytest.raises(ShapeError, match="32 bytes"):
        encode(Kind.DATA, Frame(Address(1, bytes(size), 0, 1), 0), 0)
    with pytest.raises(Desynchronised):
        read_begin(msgspec.msgpack.encode(Begin(1, bytes(size), 0, 1)))
    with pytest.raises(Desynchronised):
        read_filling(msgspec.msgpack.encode(Filling(1, bytes(size), bytes(16), 0, 1)))
