"""Whatever images come in: the predictions are those of plain torch, and what is no images is refused by type."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from analytics.nn.model import SecureModel
from analytics.nn.predictor import ModelHandle, SecurePredictor
from analytics.nn.sources.arrays import ArrayImages
from icm_ray.errors import ColumnError, InputError, NullError, ShapeError, SourceError, UnsupportedError
from tests.analytics.nn.conftest import passing
from tests.analytics.nn.secure_checks import plain

X = np.random.default_rng(4).uniform(-4, 4, (7, 4)).astype(np.float32)


class Indexed(Dataset):
    """As the simplest of users write one: a length and items."""

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return torch.from_numpy(X[index]), 1


class Streaming(IterableDataset):
    def __iter__(self):
        return iter(torch.from_numpy(X))


class Named(Indexed):
    def __getitem__(self, index):
        return {"pixels": X[index], "label": 1}


CELLS = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 4)
TABLE = pa.table({"id": [f"image {row}" for row in range(7)], "pixels": CELLS})
SOURCES = {
    "an array": X,
    "every other row": np.repeat(X, 2, axis=0)[::2],
    "a tensor": torch.from_numpy(X).requires_grad_(),
    "a list of images": list(X),
    "a tuple of batches": (X[:2], torch.from_numpy(X[2:])),
    "a generator of batches": lambda: (X[start : start + 2] for start in range(0, 7, 2)),
    "a generator of lists": lambda: (image.tolist() for image in X),
    "a Dataset of pairs": TensorDataset(torch.from_numpy(X), torch.zeros(7)),
    "a Dataset with a length and items": Indexed(),
    "a Dataset that streams": Streaming(),
    "a DataLoader of pairs": DataLoader(TensorDataset(torch.from_numpy(X), torch.zeros(7)), batch_size=5),
    "a DataLoader of images": DataLoader(Streaming(), batch_size=2),
    "an Arrow array": CELLS,
    "chunks of an Arrow column": pa.chunked_array([CELLS[:4], CELLS[4:]]),
    "a table": TABLE,
    "tensors of Arrow": pa.FixedShapeTensorArray.from_numpy_ndarray(X),
    "a frame of pandas": pd.DataFrame(X, columns=list("dcba")),
    "lists of Arrow": pa.array(X.tolist(), pa.list_(pa.float32())),
}


@pytest.mark.parametrize("name", SOURCES)
def test_predictions_are_those_of_torch(small, name):
    net, model = small
    source = SOURCES[name]() if callable(SOURCES[name]) and not isinstance(SOURCES[name], Dataset) else SOURCES[name]
    prediction = model.predict(source, owner="bob")
    np.testing.assert_allclose(prediction.reveal("bob"), plain(net, torch.from_numpy(X)), atol=prediction.error)
    assert prediction.count in {7, None}


def test_a_frame_with_a_column_of_words(small):
    _, model = small
    frame = pd.DataFrame(X[:, :3], columns=list("abc")).assign(d=list("uvwxyzu"))
    with pytest.raises(ColumnError, match="column 'd' holds str, and numbers are needed"):
        model.predict(frame, owner="bob")


def test_a_mapping_says_which_is_the_image(small):
    net, model = small
    with pytest.raises(InputError, match="item 0 has 'pixels', 'label': column="):
        model.predict(Named(), owner="bob").reveal()
    prediction = model.predict(Named(), owner="bob", column="pixels")
    np.testing.assert_allclose(prediction.reveal(), plain(net, torch.from_numpy(X)), atol=prediction.error)


def test_a_mapped_file_is_read_in_pieces(small, tmp_path):
    net, model = small
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    prediction = model.predict(mapped, owner="bob")
    for _ in range(2):
        np.testing.assert_allclose(prediction.reveal(), plain(net, torch.from_numpy(X)), atol=prediction.error)
    np.testing.assert_array_equal(mapped, X)
    changed = np.load(tmp_path / "x.npy", mmap_mode="c")
    changed[:] = 1  # which is in no file
    model.predict(changed, owner="bob").reveal()
    assert (changed == 1).all()


def resident(path):
    """Bytes of a mapped file that this process holds."""
    sizes = re.findall(rf"{re.escape(str(path))}\n(?:.*\n)*?Rss: +(\d+) kB", Path("/proc/self/smaps").read_text())
    return 1024 * sum(map(int, sizes))


def test_pages_of_a_mapped_file_are_let_go(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((512, 4096)))
    mapped = np.load(path, mmap_mode="r")
    assert mapped.sum() == 512 * 4096
    assert resident(path) > mapped.nbytes // 2
    for block in ArrayImages(mapped, (4096,)).blocks(32):
        assert block.images.sum() == 32 * 4096
    assert resident(path) < mapped.nbytes // 4


def test_ids_come_with_the_results_and_those_that_are_known_are_skipped(small):
    net, model = small
    prediction = model.predict(TABLE, owner="bob", output="label", id_column="id", skip={"image 1", "image 5"})
    labels = prediction.reveal()
    kept = [0, 2, 3, 4, 6]
    assert prediction.ids.tolist() == [f"image {row}" for row in kept]
    assert labels.tolist() == plain(net, torch.from_numpy(X[kept])).argmax(axis=1).tolist()
    batches = list(model.predict(TABLE, owner="bob", output="label", id_column="id").iter_batches())
    assert [batch["id"].tolist() for batch in batches] == [
        [f"image {row}" for row in rows] for rows in ((0, 1, 2), (3, 4, 5), (6,))
    ]
    everything = TABLE["id"].to_pylist()
    assert model.predict(TABLE, owner="bob", id_column="id", skip=everything).reveal().shape == (0, 5)


class Offered:
    """What other libraries' tables are: a stream, each time anew."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.to_reader(max_chunksize=2).__arrow_c_stream__(requested_schema)


def test_arrow_streams_are_read_batch_by_batch(small):
    net, model = small
    expected = plain(net, torch.from_numpy(X)).argmax(axis=1).tolist()
    reader = model.predict(TABLE.to_reader(max_chunksize=2), owner="bob", output="label", id_column="id")
    assert (reader.count, reader.reveal().tolist(), reader.ids.tolist()) == (None, expected, TABLE["id"].to_pylist())
    with pytest.raises(InputError, match="read once"):
        reader.reveal()
    again = model.predict(Offered(), owner="bob", output="label", column="pixels")
    assert [again.reveal().tolist() for _ in range(2)] == [expected] * 2


def test_arrow_streams_that_break_off_or_hold_no_images(small):
    _, model = small

    def batches():
        yield from TABLE.to_batches(max_chunksize=4)
        raise OSError("a user's own disk")

    broken = model.predict(pa.RecordBatchReader.from_batches(TABLE.schema, batches()), owner="bob").iter_batches()
    assert [next(broken)["row"].tolist() for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(InputError, match="breaks off after row 7"):
        next(broken)
    missing = TABLE.set_column(1, "pixels", pa.array([[1.0] * 4, [1.0] * 4, None] + [[1.0] * 4] * 4))
    with pytest.raises(NullError, match="row 2 is missing"):
        model.predict(missing.to_reader(max_chunksize=2), owner="bob").reveal()
    with pytest.raises(ColumnError, match="no column holds images"):
        model.predict(TABLE.select(["id"]).to_reader(), owner="bob").reveal()
    with pytest.raises(ShapeError, match="the source is empty"):
        model.predict(TABLE[:0].to_reader(), owner="bob").reveal()


def test_no_more_is_read_than_the_lane_has_room_for(lanes):
    read = []

    def images():
        for number in range(40):
            read.append(number)
            yield np.full((2, 3), number / 100)

    model = SecureModel(lanes, passing(3), "alice", (torch.zeros(1, 3),), batch_size=2)
    for answered, batch in enumerate(model.predict(images(), owner="bob").iter_batches(), start=1):
        assert batch["row"].tolist() == [2 * answered - 2, 2 * answered - 1]
        if answered == 5:
            assert len(read) <= 5 + 2 * 4  # a few batches for each of the two lanes
            break
    np.testing.assert_allclose(model.predict(np.ones((3, 3)), owner="bob").reveal(), 1, atol=0.01)  # after leaving


def kinds_change():
    yield np.zeros((2, 4), np.float32)
    yield np.zeros((2, 4), np.uint8)


def shapes_change():
    yield np.zeros((2, 4))
    yield np.zeros((2, 5))


MISSING = pa.array([[1.0] * 4, None], pa.list_(pa.float64(), 4))
REFUSED = {
    "nothing": (lambda: None, ShapeError, "not NoneType"),
    "a path": (lambda: "images/*.png", SourceError, "matches no file"),
    "a mapping": (lambda: {"x": X}, ShapeError, "not dict"),
    "an empty list": (list, ShapeError, "empty list"),
    "an empty generator": (lambda: iter(()), ShapeError, "the source is empty"),
    "an empty table": (lambda: TABLE[:0], ShapeError, "has no rows"),
    "an empty Dataset": (lambda: TensorDataset(torch.zeros(0, 4)), ShapeError, "empty TensorDataset"),
    "a ragged list": (lambda: [[1.0, 2, 3, 4], [1.0, 2, 3]], ShapeError, r"item 1 is \(3,\)"),
    "a ragged image": (lambda: [[[1.0, 2], [3.0]]], ShapeError, "parts of unequal shapes"),
    "lists of Arrow of other lengths": (lambda: pa.array([[1.0] * 4, [1.0] * 3]), ShapeError, "unequal sizes"),
    "another size in Arrow": (lambda: pa.array([[1.0] * 5] * 2, pa.list_(pa.float64(), 5)), ShapeError, "a row has 5"),
    "a missing image": (lambda: MISSING, NullError, "row 1 is missing"),
    "a missing number": (lambda: pa.array([[1.0, None, 1, 1]]), NullError, "missing numbers"),
    "a column of numbers": (lambda: pa.array([1.0]), ShapeError, "lists or tensors"),
    "another dtype midway": (
        kinds_change,
        ShapeError,
        "item 1: numbers of dtype uint8; those before hold float numbers",
    ),
    "another shape midway": (shapes_change, ShapeError, r"item 1 is \(2, 5\)"),
    "complex numbers": (lambda: iter([np.zeros(4, complex)]), ShapeError, "dtype complex"),
    "a complex tensor": (lambda: torch.zeros(2, 4, dtype=torch.complex64), ShapeError, "complex64"),
    "text": (lambda: [["abcd"]], ShapeError, "dtype <U4"),
    "an array of objects": (lambda: np.zeros((1, 4), object), ShapeError, "dtype object"),
    "a sparse tensor": (lambda: torch.zeros(2, 4).to_sparse(), UnsupportedError, "to_dense"),
    "a meta tensor": (lambda: torch.zeros(2, 4, device="meta"), UnsupportedError, "meta"),
    "a masked array": (lambda: np.ma.masked_equal(X, 0), NullError, "masked"),
    "a list of masked arrays": (lambda: [np.ma.masked_equal(X[0], 0)], NullError, "masked"),
    "a NaN in a list": (lambda: [X[0], X[1] * np.nan], NullError, "image 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_images_is_refused_by_type(small, lanes, name):
    make, error, match = REFUSED[name]
    _, model = small
    before = len(lanes.jobs)
    with pytest.raises(error, match=match):
        model.predict(make(), owner="bob").reveal()
    if "midway" not in name:
        assert len(lanes.jobs) == before


@pytest.mark.parametrize(
    ("named", "error", "match"),
    [
        ({"column": "x"}, ColumnError, "no column 'x'; there are 'id', 'pixels', 'more'"),
        ({}, ColumnError, "'pixels', 'more' may hold the images"),
        ({"column": "more", "id_column": "x"}, ColumnError, "no column 'x'"),
        ({"skip": ["image 1"]}, InputError, "id_column= says where"),
    ],
)
def test_columns_are_named(small, named, error, match):
    table = TABLE.append_column("more", CELLS)
    with pytest.raises(error, match=match):
        small[1].predict(table, owner="bob", **named)


def test_names_of_columns_where_there_are_none_are_refused(small):
    for source, named in ((X, {"column": "x"}), (X, {"id_column": "x"}), (CELLS, {"id_column": "x"})):
        with pytest.raises(InputError, match="column"):
            small[1].predict(source, owner="bob", **named)


def test_a_generator_is_read_once(small):
    prediction = small[1].predict((image for image in X), owner="bob")
    prediction.reveal()
    with pytest.raises(InputError, match="a generator is read once, and was"):
        prediction.reveal()


def test_a_column_of_the_predictions_name_is_not_lost():
    """True labels beside images: nothing is asked before they are renamed."""
    outputs = (("label", "<i8", ()), ("failed", "|b1", ()))
    for ids, lost in ((None, "label"), ("failed", "failed")):
        predictor = SecurePredictor(ModelHandle(None, (4,), "image", ids, outputs=outputs))
        with pytest.raises(ColumnError, match=rf"the column '{lost}' of the rows has the name"):
            predictor({"image": X, lost: np.arange(7)})
