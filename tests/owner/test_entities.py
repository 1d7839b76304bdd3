"""What an owner finds of its entities: what rows weigh, and how much of a sum one of them has, at any scale."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.owner.entities import EntityCodes
from icm_ray.owner.folds import entity_fold_for
from icm_ray.query.contributions import contribution_words


def test_rows_of_one_entity_share_its_weight():
    names = [pa.array(["a", None, "b"]), pa.array(["a", "a", None, "c"])]
    codes = EntityCodes("name", names)
    weights = codes.weights
    found = [weights[codes.of(array)].tolist() for array in names]
    assert found == [[2**20 // 3, 2**19, 2**20], [2**20 // 3, 2**20 // 3, 2**19, 2**20]]
    fold = entity_fold_for("entities", False, "x", 2, weights)
    fold.add(np.zeros(4, np.bool_), np.array([0, 0, 1, 1]), codes.of(names[1]))
    assert fold.words().tolist() == [2 * (2**20 // 3), 2**19 + 2**20]
    with pytest.raises(ColumnError, match=r"one value of it has more than 2.20 rows"):
        EntityCodes("name", [pa.array(np.zeros(2**20 + 1, np.int64))])
    with pytest.raises(ProgramError, match="an entity, or with a key, that is not there"):
        fold.add(np.zeros(1, np.bool_), np.array([0]), np.array([9]))


def test_entities_are_found_batch_by_batch(monkeypatch):
    """No batch of the column is kept, and what is known of the entities is added up on the way."""
    monkeypatch.setattr("icm_ray.owner.entities._MOST_WAITING", 4)
    rows, before = 1 << 16, pa.total_allocated_bytes()

    def batches():
        for place in range(20):
            yield pa.array([place % 3, 3, None] * (rows // 4), pa.int64())
            assert pa.total_allocated_bytes() - before < 32 * rows, "all batches are 80 bytes a row, and their counts"

    codes = EntityCodes("name", batches())
    assert codes.weights[codes.of(pa.array([0, 1, 2, 3, None]))].tolist() == [
        2**20 // (n * (rows // 4)) for n in (7, 7, 6, 20, 20)
    ]


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300, 5e-324, 2.0**60])
@pytest.mark.parametrize("floats", [False, True])
def test_what_an_entity_has_is_no_less_than_it_is(scale, floats):
    rng = np.random.default_rng(3)
    cells, codes = rng.integers(0, 5, 400), rng.integers(0, 30, 400)
    values = rng.integers(-100, 100, 400) * scale if floats else rng.integers(-(2**62), 2**62, 400)
    fold = entity_fold_for("contributions", floats, "x", 6, np.ones(30, np.uint64))
    for part in (slice(0, 150), slice(150, 151), slice(151, 400)):
        fold.add(values[part], cells[part], codes[part])
    unit = Fraction(2) ** 1074 if floats else Fraction(1)
    for cell, words in enumerate(fold.words().T.astype(np.int64).tolist()):
        own = {}
        for value, code in zip(values[cells == cell].tolist(), codes[cells == cell].tolist(), strict=True):
            own[code] = own.get(code, 0) + abs(Fraction(value)) * unit
        second, largest = sorted([Fraction(0), Fraction(0), *own.values()])[-2:]
        exact = contribution_words(int(sum(own.values())), int(largest), int(second))
        assert words[:2] == exact[:2], "sums are exact"
        for found, least in zip(words[2:4], exact[2:4], strict=True):
            assert least <= found <= least + (least >> 29) + 2
            assert found == least or words[0] > 2, "small sums are exact"
