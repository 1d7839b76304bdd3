"""Images in an owner's files are read by its own workers: this process learns their number and names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from PIL import Image

from analytics.nn.model import SecureModel
from icm_ray.errors import BoundError, ColumnError, InputError, NullError, ShapeError, SourceError
from tests.analytics.nn.secure_checks import plain

PIXELS = np.random.default_rng(5).integers(0, 256, (7, 3, 4, 5), dtype=np.uint8)
MEAN, STD = (0.5, 0.4, 0.3), 0.25
ROWS = [f"lesion {row}" for row in range(7)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same images as pictures, arrays and columns."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "pictures" / "more").mkdir(parents=True)
    (folder / "pictures" / "labels.csv").write_text("picture,label\n")
    (folder / "pictures" / "predictions.parquet").write_text("what an earlier run has written")
    for row, pixels in enumerate(PIXELS):
        where = folder / "pictures" / ("more" if row > 4 else "")
        Image.fromarray(pixels.transpose(1, 2, 0)).save(where / f"{row}.png")
    np.save(folder / "first.npy", PIXELS[:3])
    np.save(folder / "second.npy", PIXELS[3:])
    stored = [(folder / "pictures" / ("more" if row > 4 else "") / f"{row}.png").read_bytes() for row in range(7)]
    columns = {
        "lists": pa.FixedSizeListArray.from_arrays(pa.array(PIXELS.ravel()), 60),
        "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(PIXELS),
        "bytes": pa.array(stored),
        "structs": pa.array([{"bytes": one, "path": None} for one in stored]),
    }
    for name, cells in columns.items():
        table = pa.table({"id": ROWS, "pixels": cells})
        pa.parquet.write_table(table, folder / f"{name}.parquet", row_group_size=3)
    return folder


@pytest.fixture(scope="module")
def model(lanes):
    torch.manual_seed(2)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 4)).eval()
    settings = {"batch_size": 2, "scale": 1 / 255, "normalize": (MEAN, STD)}
    return net, SecureModel(lanes, net, "alice", (torch.zeros(1, 3, 4, 5),), **settings)


def expected(net):
    return plain(net, torch.from_numpy((PIXELS / 255 - np.reshape(MEAN, (3, 1, 1))) / STD).float())


SOURCES = {
    "a directory": lambda folder: folder / "pictures",
    "a pattern": lambda folder: str(folder / "pictures" / "**" / "*.png"),
    "a list": lambda folder: [folder / "pictures" / name for name in [*(f"{row}.png" for row in range(5)), "more"]],
    "arrays": lambda folder: [folder / "first.npy", str(folder / "second.npy")],
    "lists of Parquet": lambda folder: folder / "lists.parquet",
    "tensors of Parquet": lambda folder: folder / "tensors.parquet",
    "pictures in Parquet": lambda folder: folder / "bytes.parquet",
    "pictures in structs": lambda folder: folder / "structs.parquet",
}


@pytest.mark.parametrize("name", SOURCES)
def test_predictions_are_those_of_torch(model, folder, lanes, name):
    net, secure = model
    before = len(lanes.jobs)
    prediction = secure.predict(SOURCES[name](folder), owner="carol" if "list" in name else "bob")
    np.testing.assert_allclose(prediction.reveal(to="bob"), expected(net), atol=prediction.error)
    assert prediction.count == 7
    assert not any("images" in named for job in lanes.jobs[before:] for named in job.given.values())
    assert "images are read by its own worker" in prediction.explain()


def test_ids_are_names_and_rows_that_are_known_are_skipped(model, folder):
    net, secure = model
    labels = secure.predict(folder / "pictures", "bob", "label", id_column="file", skip={"1.png", "more/5.png"})
    kept = [0, 2, 3, 4, 6]
    assert labels.reveal().tolist() == expected(net).argmax(axis=1)[kept].tolist()
    assert labels.ids.tolist() == ["0.png", "2.png", "3.png", "4.png", "more/6.png"]
    labels = secure.predict(folder / "lists.parquet", "bob", "label", id_column="id", skip=ROWS[1:4])
    assert labels.reveal().tolist() == expected(net).argmax(axis=1)[[0, 4, 5, 6]].tolist()
    assert labels.ids.tolist() == [ROWS[0], *ROWS[4:]]


def test_what_cannot_be_read_is_named_or_left_out(model, tmp_path):
    _, secure = model
    for row, pixels in enumerate(PIXELS[:5]):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / f"{row}.png")
    whole = secure.predict(tmp_path, owner="bob").reveal()
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:70])
    (tmp_path / "3.png").write_text("not at all")
    Image.fromarray(np.full((4, 5), 40_000, np.uint16)).save(tmp_path / "5.png")  # 255 everywhere, if it were cut off
    with pytest.raises(SourceError, match=r"^bob: .*[23].png cannot be read as a picture: \w+ \(image [23]\)"):
        secure.predict([tmp_path / f"{row}.png" for row in range(5)], owner="bob").reveal()
    with pytest.raises(SourceError, match=r"^bob: .*5.png has more than 8 bits"):
        secure.predict(tmp_path / "5.png", owner="bob").reveal()
    prediction = secure.predict(tmp_path, owner="bob", errors="mask")
    found = prediction.reveal()
    assert prediction.failed.tolist() == [2, 3, 5]
    assert np.isnan(found[[2, 3, 5]]).all()
    np.testing.assert_allclose(found[[0, 1, 4]], whole[[0, 1, 4]], atol=2 * prediction.error)
    prediction = secure.predict(tmp_path, owner="bob", errors="mask")
    (tmp_path / "4.png").write_bytes((tmp_path / "0.png").read_bytes())  # after it was opened: rows may be others now
    with pytest.raises(SourceError, match=r"4.png: the file was changed"):
        prediction.reveal()


@pytest.mark.parametrize(("value", "error"), [(np.nan, NullError), (np.inf, NullError), (99.0, BoundError)])
def test_numbers_that_cannot_be_shared_are_named_or_left_out(small, tmp_path, value, error):
    net, secure = small
    x = np.random.default_rng(6).uniform(-3, 3, (8, 4))
    spoilt = x.copy()
    spoilt[[4, 6], 1] = value
    np.save(tmp_path / "x.npy", spoilt)
    with pytest.raises(error, match=r"bob: .*x.npy: .* \(image [46]\)"):
        secure.predict(tmp_path / "x.npy", owner="bob").reveal()
    prediction = secure.predict(tmp_path / "x.npy", owner="bob", errors="mask")
    found, rest = prediction.reveal(), [0, 1, 2, 3, 5, 7]
    assert prediction.failed.tolist() == [4, 6]
    np.testing.assert_allclose(found[rest], plain(net, torch.from_numpy(x[rest]).float()), atol=prediction.error)


def test_images_beyond_a_checked_bound_are_left_out(checked, tmp_path):
    x = np.ones((6, 2))
    x[[1, 4]] = 1000.0
    np.save(tmp_path / "x.npy", x)
    prediction = checked.predict(tmp_path / "x.npy", owner="bob", errors="mask")
    found = prediction.reveal()
    assert prediction.failed.tolist() == [1, 4]
    np.testing.assert_allclose(found[[0, 2, 3, 5]], 1.0, atol=prediction.error)


def test_what_was_refused_is_not_counted(lanes, tmp_path):
    net = torch.nn.Linear(3, 3).eval()
    model = SecureModel(lanes, net, "alice", (torch.zeros(1, 3),), batch_size=2, quota={"bob": 6})
    x = np.ones((6, 3))
    x[0] = np.nan
    np.save(tmp_path / "x.npy", x)
    found = model.predict(tmp_path / "x.npy", owner="bob", errors="mask").reveal()
    assert np.isnan(found[:, 0]).tolist() == [True, *[False] * 5]


REFUSED = {
    "no file": ("none.png", {}, SourceError, "no such file"),
    "a pattern of nothing": ("*.jpg", {}, SourceError, "matches no file"),
    "no images": ("empty", {}, SourceError, "no pictures, .npy or Parquet files"),
    "several kinds": (["first.npy", "lists.parquet"], {}, SourceError, "name files of one kind"),
    "another shape": ("other.npy", {}, ShapeError, r"the network takes \(n, 3, 4, 5\); the array is \(2, 3\)"),
    "text": ("text.npy", {}, ShapeError, "numbers are needed, not dtype"),
    "objects": ("objects.npy", {}, SourceError, "cannot be read as a .npy array"),
    "no images in it": ("none.npy", {}, ShapeError, "there are no images"),
    "no Parquet": ("bad.parquet", {}, SourceError, "cannot be read as Parquet"),
    "no such column": ("lists.parquet", {"column": "x"}, ColumnError, "no column 'x'"),
    "no such ids": ("lists.parquet", {"id_column": "x"}, ColumnError, "no column 'x'"),
    "no images column": ("numbers.parquet", {}, ColumnError, "no column holds images"),
    "a column of pictures": ("pictures", {"column": "x"}, ColumnError, "column= names a column of Parquet"),
    "ids of arrays": ("first.npy", {"id_column": "x"}, InputError, "arrays have no ids"),
    "an address": ("s3://bucket/x.npy", {}, SourceError, "s3:// is not read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_opened_is_refused_by_type(model, folder, lanes, name):
    path, named, error, says = REFUSED[name]
    if not (folder / "empty").exists():
        (folder / "empty").mkdir()
        (folder / "empty" / "notes.txt").write_text("none yet")
        np.save(folder / "other.npy", np.ones((2, 3)))
        np.save(folder / "none.npy", np.ones((0, 3, 4, 5)))
        np.save(folder / "text.npy", np.array(["a"]))
        np.save(folder / "objects.npy", np.array([{}]))
        (folder / "bad.parquet").write_text("PAR1")
        pa.parquet.write_table(pa.table({"x": [1.0]}), folder / "numbers.parquet")
    paths = [folder / item for item in path] if isinstance(path, list) else path if ":" in path else folder / path
    before = len(lanes.jobs)
    with pytest.raises(error, match=says) as caught:
        model[1].predict(paths, owner="bob", **named)
    assert "bob" in caught.value.message
    assert len(lanes.jobs) == before


def test_pictures_need_a_network_of_pictures(small, folder):
    with pytest.raises(ShapeError, match="a picture has the shape"):
        small[1].predict(folder / "pictures", owner="bob")


def test_samples_of_the_owner_of_a_model_may_be_pictures(lanes, folder):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 4)).eval()
    model = SecureModel(lanes, net, "alice", (torch.zeros(1, 3, 4, 5),), scale=1 / 255, calibrate=folder / "pictures")
    assert 0 < model.expected_error <= model.error
