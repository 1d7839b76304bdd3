"""An owner's own groups as rows of words: read back, they are the groups."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.errors import InputError, ProgramError
from icm_ray.owner.tables import Tables
from icm_ray.query.private_keys import LIMB, STEP, PrivateKeys, key_widths, read_key, sentinel, word_widths
from icm_ray.query.tasks import Aggregate, GroupRows, PrivateKey

INTEGERS = PrivateKey("k", "int", 63)
TEXT = PrivateKey("t", "string", 12)


def tables(*parts):
    held = Tables()
    streams = []
    for number, frame in enumerate(parts):
        sink = pa.BufferOutputStream()
        batch = pa.Table.from_pandas(frame, preserve_index=False)
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_table(batch)
        streams.append((number, sink.getvalue().to_pybytes()))
    held.receive("table", len(parts), streams)
    return held


def number(limbs):
    signed = [int(word) - (1 << 64) * (int(word) >> 63) for word in limbs]
    return sum(word << LIMB * place for place, word in enumerate(signed))


def read(words, keys, kinds):
    """By key the words of each aggregate."""
    found = {}
    for row in words.tolist():
        signed = [word - (1 << 64) * (word >> 63) for word in row]
        if signed[0] == sentinel(keys[0]):
            assert not any(row[1:])
            continue
        at, key = 0, []
        for part in keys:
            width = len(key_widths(part))
            key.append(read_key(part, signed[at : at + width]))
            at += width
        values = []
        for kind, floats in kinds:
            size = len(word_widths(kind, floats=floats))
            values.append(row[at : at + size])
            at += size
        assert tuple(key) not in found
        found[tuple(key)] = values
    return found


rows = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2),
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3),
        st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(-(2.0**48), 2.0**48),
    ),
    min_size=1,
    max_size=25,
)


@given(rows, rows)
@pytest.mark.slow
def test_words_are_the_sums_of_groups(one, other):
    columns = {"k": "int64", "t": "object", "n": "int64", "x": "float64"}
    parts = [pd.DataFrame(part, columns=list(columns)).astype(columns) for part in (one, other)]
    kinds = [("count", False), ("sum", False), ("squares", False), ("sum", True)]
    values = tuple(
        Aggregate("table", "x" if floats else "n", (0, 1), kind, read_as="float" if floats else "int", nullable=True)
        for kind, floats in kinds
    )
    for keys in ((INTEGERS,), (TEXT,), (TEXT, INTEGERS)):
        words = tables(*parts).make(GroupRows("table", (0, 1), keys, 64, values))
        found = read(words, keys, kinds)
        expected = {}
        for k, t, n, x in [*one, *other]:
            key = tuple({"k": k, "t": t}[part.of] for part in keys)
            if None not in key:
                expected.setdefault(key, []).append((n, x))
        assert found.keys() == expected.keys()
        for key, members in expected.items():
            count, total, squares, floats = found[key]
            whole = [n for n, _ in members]
            assert (number(count), number(total), number(squares)) == (
                len(whole),
                sum(whole),
                sum(n * n for n in whole),
            )
            scaled = [round(np.ldexp(x, STEP)) for _, x in members if x is not None]
            assert number(floats) == sum(scaled)


def test_refusals():
    held = tables(pd.DataFrame({"k": [1, 2, 3]}))
    with pytest.raises(InputError, match="more groups than the 2"):
        held.make(GroupRows("table", (0,), (INTEGERS,), 2, ()))
    with pytest.raises(ProgramError, match="none of number 1"):
        held.make(GroupRows("table", (1,), (INTEGERS,), 2, ()))
    for keys, most, says in (((), 1, "1 to 8 private keys"), ((INTEGERS,), 0, "max_groups=0")):
        with pytest.raises(InputError, match=says):
            PrivateKeys(keys, most)
