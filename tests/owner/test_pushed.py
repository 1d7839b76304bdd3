"""Arrow streams that are pushed to an owner's worker: what is damaged is a source error, never read."""

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest

from icm_ray.errors import BoundError, ColumnError, NullError, SourceError
from icm_ray.owner.tables import Tables
from icm_ray.query.tasks import ColumnValues


def stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def damaged(table, was, becomes, dtype):
    """The stream of a table in which an array of offsets or indices is another."""
    whole, old = stream(table), np.asarray(was, dtype).tobytes()
    assert whole.count(old) == 1
    return whole.replace(old, np.asarray(becomes, dtype).tobytes())


@pytest.mark.parametrize(
    "offsets",
    [(0, 5, 1 << 20), (0, 1 << 30, 9), (0, -1, 9), (-4, 5, 9), (5, 0, 9)],
    ids=["end", "far", "less", "ahead", "back"],
)
def test_pushed_text_stays_within_its_buffer(offsets):
    table = pa.table({"ward": ["north", "west"], "n": [1, 2]})
    with pytest.raises(SourceError, match="partition 3: what was pushed is a damaged"):
        Tables().receive("t", 4, [(3, damaged(table, (0, 5, 9), offsets, np.int32))])


@pytest.mark.parametrize("index", [2, 1 << 30, -1])
def test_pushed_indices_stay_within_their_dictionary(index):
    ward = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1, 1], pa.int32()), ["north", "west"])
    with pytest.raises(SourceError, match="partition 0"):
        Tables().receive("t", 1, [(0, damaged(pa.table({"ward": ward}), (1, 0, 1, 1), (1, 0, index, 1), np.int32))])


def test_pushed_names_are_checked():
    whole = stream(pa.table({"ward": ["north", "west"], "n": [1, 2]}))
    assert whole.count(b"ward") == 1
    with pytest.raises(SourceError, match="no Arrow"):
        Tables().receive("t", 1, [(0, whole.replace(b"ward", b"w\xffrd"))])
    with pytest.raises(SourceError, match="two columns 'n'"):
        Tables().receive("t", 1, [(0, stream(pa.table([[1], [2]], names=["n", "n"])))])


def test_a_stream_with_any_byte_changed_is_refused_or_a_table():
    piece = stream(pa.table({"ward": ["north", None], "n": [1, 2], "d": pa.array(["a", "b"]).dictionary_encode()}))
    for place in range(len(piece)):
        for flip in (0xFF, 0x80, 0x01):
            changed = bytearray(piece)
            changed[place] ^= flip
            tables = Tables()
            with suppress(SourceError, ColumnError, NullError, BoundError):
                tables.receive("t", 1, [(0, bytes(changed))])
                tables.make(ColumnValues("t", "n", 0, 0, 62))
