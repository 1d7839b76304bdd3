"""Images in files: any of them, in any order, at the cost of what is asked for."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icm_ray.errors import NullError, ProgramError, ShapeError, SourceError
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


@pytest.mark.parametrize("file", ["lists", "tensors"], indirect=True)
def test_a_pass_goes_on_and_rows_between_are_not_read(file, monkeypatch):
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


def test_what_only_has_the_name_of_an_array_is_refused(tmp_path):
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        np.savez(file, X)
    with pytest.raises(SourceError, match=r"cannot be read as a \.npy array"):
        opened(path)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**30, 2, 3)})
    with pytest.raises(SourceError, match=r"cannot be read as a \.npy array"):
        opened(path)


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", X)
    first = str(tmp_path / "a.npy")
    with pytest.raises(SourceError, match=r"a\.npy: this file is named twice"):
        Tables().open("t", ImageSource((first, first), (2, 3)))
    whole = ImageSource((first, str(tmp_path / "*.npy")), (2, 3))  # patterns may overlap
    assert Tables().open("t", whole).rows == (40,)


def test_damaged_ids_are_named(tmp_path):
    path = tmp_path / "x.parquet"
    table = pa.table({"id": pa.array(range(200)), "x": pa.array([[1.0] * 6] * 200)})
    pq.write_table(table, path, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56  # the first page of ids
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.parquet: its ids cannot be read"):
        opened(path, ids="id")


def test_pictures_that_other_programs_would_draw_are_none(tmp_path, monkeypatch):
    """Pillow hands PostScript to Ghostscript, whatever a file's name is."""
    from PIL import EpsImagePlugin

    def ghostscript(*_, **__):
        raise AssertionError("Ghostscript was asked")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", ghostscript)
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 3 2\n%%EndComments\nshowpage\n")
    tables = Tables()
    tables.open("t", ImageSource((str(path),), (1, 2, 3)))
    with pytest.raises(SourceError, match="cannot be read as a picture"):
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
