"""Images in files: any of them, in any order, at the cost of what is asked for."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icm_ray.errors import NullError, ProgramError, ShapeError
from icm_ray.owner.images import columns
from icm_ray.owner.tables import Tables
from icm_ray.query.image_tasks import ImageRows, ImageSource
from icm_ray.query.tasks import ColumnValues
from icm_ray.ring.fixed import decode

X = np.random.default_rng(1).uniform(-1, 1, (20, 2, 3)).astype(np.float32)


def opened(path, **named):
    tables = Tables()
    return tables, tables.open("t", ImageSource((str(path),), (2, 3), **named))


def read(tables, rows, **named):
    return decode(tables.make(ImageRows("t", tuple(rows), 20, 1, **named)), 20)


@pytest.fixture(params=["arrays", "lists", "tensors"])
def file(request, tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "_BATCH_BYTES", 8 * 6 * 3)  # batches of three images
    if request.param == "arrays":
        np.save(tmp_path / "x.npy", X)
        return tmp_path / "x.npy"
    cells = (
        pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 6)
        if request.param == "lists"
        else pa.FixedShapeTensorArray.from_numpy_ndarray(X)
    )
    pq.write_table(pa.table({"x": cells}), tmp_path / "x.parquet", row_group_size=7)
    return tmp_path / "x.parquet"


def test_rows_in_any_order(file):
    tables, info = opened(file)
    assert info.rows == (20,)
    rng = np.random.default_rng(3)
    for rows in ([0], [19, 0], range(20), [5, 5, 4], *(rng.permutation(20)[:7].tolist() for _ in range(5))):
        np.testing.assert_allclose(read(tables, rows), X[list(rows)], atol=2**-20)
    np.testing.assert_allclose(
        read(tables, [3], scale=2.0, mean=(0.5,), std=(4.0, 8.0))[0, 1], (2 * X[3, 1] - 0.5) / 8, atol=2**-20
    )


def test_a_pass_goes_on_and_rows_between_are_not_read(file, monkeypatch):
    if file.suffix == ".npy":
        pytest.skip("an array has no passes")
    passes, batches = [], columns.ColumnFiles._batches

    def watched(self, path, first):
        passes.append(first)
        return batches(self, path, first)

    monkeypatch.setattr(columns.ColumnFiles, "_batches", watched)
    tables, _ = opened(file)
    for start in range(0, 7, 2):
        read(tables, range(start, min(start + 2, 7)))
    assert passes == [0]
    read(tables, [8])  # the next row group, which lies ahead and near
    read(tables, [19])
    read(tables, [1])
    assert passes in ([0, 2, 0], [0, 1, 2, 0])


def test_what_there_is_not(file):
    tables, _ = opened(file)
    for rows in ([20], []):
        with pytest.raises(ProgramError, match="20 images"):
            read(tables, rows)
    with pytest.raises(ProgramError, match="have no 3 means"):
        read(tables, [0], mean=(1.0, 2.0, 3.0), std=(1.0,))
    with pytest.raises(ProgramError, match="forgotten"):
        tables.make(ColumnValues("t", "x", 0, 0, 1))
    tables.close("t")
    with pytest.raises(ProgramError, match="forgotten"):
        read(tables, [0])


def test_missing_cells_and_lists_of_other_lengths_are_named(tmp_path):
    cells = pa.array([[1.0] * 6, None, [1.0] * 5, [None, *[1.0] * 5], [0.5] * 6])
    pq.write_table(pa.table({"x": cells}), tmp_path / "x.parquet")
    tables, _ = opened(tmp_path / "x.parquet")
    np.testing.assert_array_equal(read(tables, [0, 4])[:, 0, 0], [1.0, 0.5])
    with pytest.raises(NullError, match=r"x.parquet: the image in row 1 is missing \(image 1\)") as caught:
        read(tables, range(5))
    assert caught.value.where["rows"] == (1, 2, 3)
    with pytest.raises(ShapeError, match="has 6 numbers; a row has 5"):
        read(tables, [2])
