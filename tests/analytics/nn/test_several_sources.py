"""Networks of several inputs take whatever yields tuples, or dicts by the inputs' names, as those of one input do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from analytics.nn.model import SecureModel
from icm_ray.errors import ColumnError, InputError, NullError, ShapeError, UnsupportedError

torch.set_num_threads(1)
N = 5
PIXELS = np.random.default_rng(2).integers(0, 256, (N, 2, 3), np.uint8)
AGE = np.arange(20.0, 20.0 + N, dtype=np.float32)
IDS = np.array([[1, 2, 0], [6, 5, 4], [3, 0, 0], [1, 1, 1], [2, 6, 0]])
INPUTS = {"image": PIXELS, "age": AGE, "ids": IDS}
NORMALIZE = {"image": ((0.5, 0.25), (0.5, 0.25)), "age": (22.0, 2.0)}


class Record(nn.Module):
    """Of an image, a number and tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(7, 4), nn.Linear(11, 3)

    def forward(self, image: torch.Tensor, age: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([image.flatten(1), age.unsqueeze(1), self.table(ids).sum(1)], 1))


EXAMPLE = {"image": torch.zeros(1, 2, 3), "age": torch.zeros(1), "ids": torch.zeros(1, 3, dtype=torch.int64)}


@pytest.fixture(scope="module")
def net() -> Record:
    torch.manual_seed(1)
    return Record().eval()


@pytest.fixture(scope="module")
def expected(net: Record) -> Any:
    image = (torch.from_numpy(PIXELS) / 255 - torch.tensor([0.5, 0.25])[:, None]) / torch.tensor([0.5, 0.25])[:, None]
    with torch.no_grad():
        return net(image, (torch.from_numpy(AGE) - 22) / 2, torch.from_numpy(IDS)).numpy()


@pytest.fixture(scope="module")
def named(lanes, net: Record) -> SecureModel:
    return SecureModel(lanes, net, "alice", EXAMPLE, batch_size=2, scale={"image": 1 / 255}, normalize=NORMALIZE)


@pytest.fixture(scope="module")
def placed(lanes, net: Record) -> SecureModel:
    normalize = dict(enumerate(NORMALIZE.values()))
    example: Any = tuple(EXAMPLE.values())
    return SecureModel(lanes, net, "alice", example, batch_size=2, scale={0: 1 / 255}, normalize=normalize)


def rows(*, key: str | None = None) -> list[dict[str, Any]]:
    ids = {} if key is None else {key: [f"row {row}" for row in range(N)]}
    return [{name: values[row] for name, values in (INPUTS | ids).items()} for row in range(N)]


class Records(Dataset[Any]):
    """As users write one: dicts, and a label."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, row: int) -> Any:
        return {name: torch.as_tensor(values[row]) for name, values in INPUTS.items()}, row % 2


class Streaming(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(rows())


TABLE = pa.table(
    {
        "id": [f"row {row}" for row in range(N)],
        "image": pa.FixedShapeTensorArray.from_numpy_ndarray(PIXELS),
        "age": AGE,
        "ids": pa.array(IDS.tolist()),
    }
)
BY_NAME: dict[str, Any] = {
    "arrays": INPUTS,
    "a source each": {"image": list(PIXELS), "age": pa.array(AGE), "ids": DataLoader(IDS, batch_size=2)},
    "generators": lambda: {"image": iter(PIXELS), "age": iter(AGE), "ids": (IDS[row : row + 3] for row in (0, 3))},
    "a list of samples": rows(),
    "a generator of batches": lambda: ({k: v[row : row + 2] for k, v in INPUTS.items()} for row in (0, 2, 4)),
    "a Dataset with labels": Records(),
    "a Dataset that streams": Streaming(),
    "a DataLoader with labels": DataLoader(Records(), batch_size=3),
    "a table": TABLE,
    "a batch of records": TABLE.to_batches()[0],
    "chunks": {name: TABLE[name] for name in INPUTS},
}
TENSORS = [torch.from_numpy(values) for values in INPUTS.values()]
BY_PLACE: dict[str, Any] = {
    "arrays": tuple(INPUTS.values()),
    "a list of samples": [tuple(row.values()) for row in rows()],
    "a generator of batches": lambda: (tuple(v[row : row + 2] for v in INPUTS.values()) for row in (0, 2, 4)),
    "a DataLoader": DataLoader(TensorDataset(*TENSORS), batch_size=2),
    "a DataLoader with labels": DataLoader([(tuple(row.values()), 1) for row in rows()], batch_size=3),
    "a Dataset": TensorDataset(*TENSORS),
}


@pytest.mark.parametrize("given", BY_NAME)
def test_inputs_by_name(named: SecureModel, expected: Any, given: str) -> None:
    source = BY_NAME[given]
    prediction = named.predict(source() if callable(source) else source, owner="bob")
    np.testing.assert_allclose(prediction.reveal("bob"), expected, atol=prediction.error)
    assert prediction.count in {N, None}


@pytest.mark.parametrize("given", BY_PLACE)
def test_inputs_by_place(placed: SecureModel, expected: Any, given: str) -> None:
    source = BY_PLACE[given]
    prediction = placed.predict(source() if callable(source) else source, owner="bob")
    np.testing.assert_allclose(prediction.reveal("bob"), expected, atol=prediction.error)


@pytest.mark.parametrize(
    "source",
    [TABLE, INPUTS | {"id": [f"row {row}" for row in range(N)]}, rows(key="id")],
    ids=["a table", "arrays", "a list of samples"],
)
def test_ids_come_along_and_those_that_are_known_are_skipped(named: SecureModel, expected: Any, source: Any) -> None:
    prediction = named.predict(source, owner="bob", output="label", id_column="id", skip={"row 1", "row 3"})
    labels = prediction.reveal("bob")
    assert prediction.ids is not None
    assert prediction.ids.tolist() == ["row 0", "row 2", "row 4"]
    assert labels.tolist() == expected[[0, 2, 4]].argmax(1).tolist()


def test_a_mapped_file_is_one_of_the_inputs(named: SecureModel, expected: Any, tmp_path: Any) -> None:
    np.save(tmp_path / "image.npy", PIXELS)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    prediction = named.predict(INPUTS | {"image": mapped}, owner="bob")
    np.testing.assert_allclose(prediction.reveal("bob"), expected, atol=prediction.error)


def test_no_more_is_read_than_lanes_have_room_for(named: SecureModel) -> None:
    read = []

    def samples() -> Iterator[Any]:
        for number in range(60):
            read.append(number)
            yield {name: values[:2] for name, values in INPUTS.items()}

    batches = named.predict(samples(), owner="bob").iter_batches("bob")
    for _ in range(5):
        next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(read) <= 5 + 2 * 4  # a few batches for each of the two lanes


def test_columns_are_of_inputs_that_have_names(placed: SecureModel) -> None:
    with pytest.raises(UnsupportedError, match="inputs by name"):
        placed.handle("bob")
    with pytest.raises(UnsupportedError, match="it has no names"):
        placed.predict(TABLE, owner="bob")


def changed(row: int, **parts: Any) -> list[dict[str, Any]]:
    found = rows()
    found[row] |= parts
    return found


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ([{"image": PIXELS[0], "age": AGE[0]}], ColumnError, "item 0 has no 'ids'"),
        (changed(1, label=1), ColumnError, "item 1 has 'label', which is no input"),
        ([tuple(rows()[0].values())], ShapeError, "item 0 is a tuple, not a dict"),
        (changed(2, ids=IDS[0, :2]), ShapeError, r"a sample of ids is \(3,\)"),
        ([{name: values[:3] for name, values in INPUTS.items()} | {"ids": IDS[:2]}], ShapeError, "2 of ids"),
        (changed(2, ids=IDS[:2]), ShapeError, "item 2 has one sample of some inputs"),
        (changed(1, age=22), ShapeError, "item 1: age: numbers of dtype int64; those before hold float"),
        (changed(1, age="old"), ShapeError, "item 1: age"),
        (changed(1, ids=IDS[0] + 0.5), ShapeError, "item 1: ids: numbers of dtype float64"),
        (changed(3, image=PIXELS[0] * np.nan), ShapeError, "item 3: image"),
        (TABLE.drop_columns(["age"]), ColumnError, "no column 'age'"),
        (INPUTS | {"age": np.full(N, np.nan)}, NullError, "image 0"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_shared(
    named: SecureModel, source: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        named.predict(source, owner="bob")


def test_sources_of_unequal_lengths_are_refused_where_the_shorter_ends(named: SecureModel) -> None:
    short = {"image": iter(PIXELS), "age": iter(AGE[:3]), "ids": iter(IDS)}
    prediction = named.predict(short, owner="bob")
    with pytest.raises(ShapeError, match="age ends after 3 rows"):
        prediction.reveal("bob")
    with pytest.raises(InputError, match="read once"):
        prediction.reveal("bob")


def test_by_place(placed: SecureModel) -> None:
    for source, says in (
        ([tuple(rows()[0].values())[:2]], "item 0 has 2 parts"),
        (rows(), "item 0 is a dict"),
        (tuple(INPUTS.values())[:2], "given as a tuple of 3"),
    ):
        with pytest.raises(ShapeError, match=says):
            placed.predict(source, owner="bob")
    with pytest.raises(InputError, match="id_column="):
        placed.predict(tuple(INPUTS.values()), owner="bob", id_column="id")


def test_normalisation_of_each_input_is_checked(lanes, net: Record) -> None:
    for settings, says in (
        ({"scale": {"pixels": 2.0}}, "scale: 'pixels' is no input"),
        ({"normalize": {"ids": (1.0, 2.0)}}, "'ids' takes whole numbers"),
        ({"normalize": {"age": (1.0, 0.0)}}, "age: normalize: standard deviations"),
        ({"scale": 0.0}, "image: scale"),
    ):
        with pytest.raises(InputError, match=says):
            SecureModel(lanes, net, "alice", EXAMPLE, **settings)  # type: ignore[arg-type]


def test_one_normalisation_is_for_all_inputs_of_real_numbers(lanes, net: Record) -> None:
    model = SecureModel(lanes, net, "alice", EXAMPLE, scale=0.5, normalize=(1.0, 4.0), input_bound=32.0)
    with torch.no_grad():
        expected = net((TENSORS[0] * 0.5 - 1) / 4, (TENSORS[1] * 0.5 - 1) / 4, TENSORS[2]).numpy()
    prediction = model.predict(INPUTS, owner="bob")
    np.testing.assert_allclose(prediction.reveal("bob"), expected, atol=prediction.error)
