"""A ray.data.Dataset in, a Dataset of predictions out: ids kept, and those that are known left out."""

import dataclasses
import gc
import threading
import weakref

import numpy as np
import pandas as pd
import pytest
import torch

import analytics as an
import icm_ray as icm
from analytics.nn import request, run_progress
from analytics.nn.predictor import ModelHandle, predicted
from cluster.serve.deployment import application
from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers import desk
from icm_ray.runtime.carriers.threads import ThreadEngine

pytestmark = pytest.mark.ray
X = np.random.default_rng(8).uniform(-3, 3, (10, 2, 3)).astype(np.float32)
IDS = np.array([f"lesion {row}" for row in range(10)])


@pytest.fixture(scope="module")
def model(ray_cluster):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 4, bias=False)).eval()
    with torch.no_grad():
        net[1].weight.copy_(torch.linspace(-1, 1, 24).reshape(4, 6))
    with ThreadEngine(lanes=2) as session:
        yield net, an.SecureModel(session, net, owner="alice", example_inputs=(torch.zeros(1, 2, 3),), batch_size=4)


@pytest.fixture(scope="module")
def dataset(ray_cluster):
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data.from_items([{"id": name, "pixels": image, "age": 7} for name, image in zip(IDS, X, strict=True)])


class Steps:
    """A progress that is not shown."""

    def __init__(self, told):
        self.told, self.rows, self.over = told, [], threading.Event()

    def done(self, rows=0):
        self.rows.append(rows)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()


def rows(result, name):
    return {row["id"]: row[name] for row in result.take_all()}


def test_a_dataset_of_predictions(model, dataset):
    net, secure = model
    prediction = secure.predict(dataset, owner="bob", id_column="id")
    found = rows(prediction.reveal(to="bob"), "logits")
    expected = net(torch.from_numpy(X)).detach().numpy()
    assert set(found) == set(IDS)
    for row, name in enumerate(IDS):
        np.testing.assert_allclose(found[name], expected[row], atol=prediction.error)


def test_what_is_known_is_left_out_and_what_fails_is_marked(model, dataset):
    _, secure = model
    spoilt = dataset.map(lambda row: row | {"pixels": row["pixels"] * (np.nan if row["id"] == "lesion 3" else 1)})
    known = {"lesion 0", "lesion 9"}
    result = secure.predict(spoilt, owner="bob", output="label", id_column="id", skip=known, errors="mask").reveal()
    assert set(rows(result, "label")) == set(IDS) - known
    assert [name for name, failed in rows(result, "failed").items() if failed] == ["lesion 3"]
    assert rows(result, "label")["lesion 3"] == -1


def test_nothing_is_computed_before_it_is_consumed(model, dataset):
    _, secure = model
    before = secure._session.totals
    result = secure.predict(dataset, owner="bob", output="label").reveal(to="bob").map(lambda row: row | {"more": 1})
    assert secure._session.totals == before
    assert {row["id"] for row in result.take_all()} == set(IDS)  # and all columns but the images
    assert secure._session.totals.rounds > before.rounds
    assert set(result.take(1)[0]) == {"id", "age", "label", "more"}


def test_it_goes_on_where_an_earlier_run_ended(model, dataset):
    _, secure = model
    first = secure.predict(dataset.limit(4), owner="bob", output="label", id_column="id").reveal()
    done = rows(first, "label")
    rest = secure.predict(dataset, owner="bob", output="label", id_column="id", skip=done).reveal()
    labels = rows(rest, "label")
    assert (set(labels), len(done)) == (set(IDS) - set(done), 4)
    everything = secure.predict(dataset, owner="bob", output="label", id_column="id", skip=IDS.tolist()).reveal()
    assert everything.take_all() == []
    assert rows(secure.predict(dataset, owner="bob", output="label", id_column="id").reveal(), "label") == done | labels


def test_it_keeps_the_model_and_lets_it_go(model, dataset):
    net, secure = model
    other = an.SecureModel(secure._session, net, owner="alice", example_inputs=(torch.zeros(1, 2, 3),))
    alive = weakref.ref(other)
    result = other.predict(dataset, owner="bob", output="label").reveal()
    del other
    assert len(result.take_all()) == 10
    del result
    gc.collect()
    assert alive() is None


def test_columns_that_are_not_there_or_fit_no_image(model, dataset):
    _, secure = model
    with pytest.raises(icm.ColumnError, match="no column 'name'"):
        secure.predict(dataset.materialize(), owner="bob", id_column="name")
    for wrong, says in (
        (dataset.drop_columns(["pixels"]), "column="),
        (dataset.select_columns(["age"]), "an image is"),
    ):
        batches = secure.predict(wrong, owner="bob").iter_batches()
        with pytest.raises((icm.ColumnError, icm.ShapeError), match=says):
            next(batches)
    with pytest.raises(Exception, match=r"column=") as caught:
        secure.predict(dataset.drop_columns(["pixels"]), owner="bob").reveal().take_all()
    assert "ColumnError" in str(caught.value), (type(caught.value).__mro__, caught.value.__cause__)


def test_a_dataset_without_rows(model, both, dataset):
    """What is known to have none is refused at once, what may be computed yet where it is read in this process."""
    _, secure = model
    nothing = dataset.flat_map(lambda row: [])
    for asked in (secure, both):
        assert asked.predict(dataset.materialize(), owner="bob").count == 10
        with pytest.raises(icm.ShapeError, match="no images in an empty MaterializedDataset"):
            asked.predict(nothing.materialize(), owner="bob")
        for images in (nothing, nothing.iterator()):
            with pytest.raises(icm.ShapeError, match="the source is empty"):
                next(asked.predict(images, owner="bob").iter_batches())
    assert secure.predict(nothing, owner="bob").reveal().take_all() == []  # as Ray has it: it calls nobody


def test_a_schema_that_changes_is_refused(model):
    _, secure = model
    asked = ModelHandle(secure.handle("bob").desk, (2, 3), None, run="x")
    predicted({"pixels": X}, asked)
    with pytest.raises(icm.ShapeError, match="those before hold float numbers"):
        predicted({"pixels": X.astype(np.int64)}, asked)


@pytest.mark.slow
def test_blocks_of_unlike_schemas_are_refused_by_type(model, dataset):
    _, secure = model
    for changed, error, says in (
        (lambda row: {"id": row["id"], "pixels": row["pixels"].astype(np.uint8)}, icm.ShapeError, "uint8"),
        (lambda row: {"id": row["id"], "pixels": row["pixels"][:1]}, icm.ShapeError, "an image is"),
        (lambda row: {"id": row["id"], "picture": row["pixels"]}, icm.ColumnError, "no column 'pixels'"),
    ):
        both = dataset.select_columns(["id", "pixels"]).union(dataset.map(changed))
        with pytest.raises(error, match=says):
            list(secure.predict(both, owner="bob", column="pixels", id_column="id").iter_batches())


def test_an_iterator_over_a_dataset(model, dataset):
    net, secure = model
    images = dataset.iterator()
    prediction = secure.predict(images, owner="bob", output="label", id_column="id")
    for _ in range(2):
        labels = prediction.reveal(to="bob")
        expected = dict(zip(IDS, net(torch.from_numpy(X)).argmax(dim=1).tolist(), strict=True))
        assert dict(zip(prediction.ids.tolist(), labels.tolist(), strict=True)) == expected


def test_an_image_that_cannot_be_shared_is_named_by_its_id(model):
    _, secure = model
    spoilt = X.copy()
    spoilt[6, 1, 2] = np.nan
    handle = secure.handle("bob", "bob")
    with pytest.raises(icm.NullError, match="its id is 'lesion 6'") as caught:
        predicted({"pixels": spoilt, "id": IDS}, dataclasses.replace(handle, ids="id", skip=frozenset({"lesion 2"})))
    assert caught.value.where["id"] == "lesion 6"
    with pytest.raises(icm.NullError, match="in a block of rows"):
        predicted({"pixels": spoilt}, handle)
    with pytest.raises(icm.InputError, match='batch_format="numpy"'):
        predicted(pd.DataFrame({"id": IDS}), handle)


def test_a_class_for_map_batches(model, dataset):
    from ray.data import ActorPoolStrategy

    net, secure = model
    handle = secure.handle(owner="bob", to="bob")
    try:
        found = dataset.map_batches(
            an.SecurePredictor,
            fn_constructor_args=(handle,),
            batch_size=4,
            batch_format="numpy",
            compute=ActorPoolStrategy(size=1),
            num_cpus=0,
        ).take_all()
    finally:
        secure.close()
    expected = net(torch.from_numpy(X)).argmax(dim=1).tolist()
    assert {row["id"]: row["label"] for row in found} == dict(zip(IDS, expected, strict=True))
    assert {row["age"] for row in found} == {7}
    assert not any("pixels" in row for row in found)


class Both(torch.nn.Module):
    """Two inputs by name, two results."""

    def forward(self, pixels, age):
        return {"sum": pixels.flatten(1).sum(1, keepdim=True) + age.unsqueeze(1), "half": pixels / 2}


@pytest.fixture(scope="module")
def both(model):
    example = {"pixels": torch.zeros(1, 2, 3), "age": torch.zeros(1)}
    return an.SecureModel(model[1]._session, Both().eval(), "alice", example, input_bound=16, batch_size=4)


def test_a_dataset_of_several_inputs(both, dataset):
    prediction = both.predict(dataset, owner="bob", id_column="id", skip={"lesion 2"})
    found = prediction.reveal(to="bob").take_all()
    assert {row["id"] for row in found} == set(IDS) - {"lesion 2"}
    for row in found:
        pixels = X[int(row["id"].split()[1])].astype(np.float64)
        np.testing.assert_allclose(row["sum"], [pixels.sum() + 7], atol=prediction.error)
        np.testing.assert_allclose(row["half"], pixels / 2, atol=prediction.error)
    batches = list(both.predict(dataset, owner="bob", id_column="id").iter_batches("bob"))
    assert np.concatenate([batch["half"] for batch in batches]).shape == X.shape
    with pytest.raises(icm.ColumnError, match="no column 'age'"):
        both.predict(dataset.drop_columns(["age"]).materialize(), owner="bob")


def test_columns_by_the_inputs_names(both):
    handle = both.handle("bob", "bob", "logits", errors="mask")
    columns = {"pixels": X, "age": np.full(10, 7), "id": IDS}
    assert {name: values.shape for name, values in predicted(columns, handle).items()} == {
        "id": (10,), "sum": (10, 1), "half": (10, 2, 3), "failed": (10,)
    }  # fmt: skip
    with pytest.raises(icm.ShapeError, match="an image is"):
        predicted(columns | {"pixels": X[:, :1]}, handle)
    with pytest.raises(icm.UnsupportedError, match="one input and one result"):
        application(handle)


def test_a_run_of_a_dataset_has_one_progress(model, monkeypatch):
    """... however many questions it has; what serves any number of runs has none."""
    begun = []
    monkeypatch.setattr(run_progress, "Progress", lambda *told: begun.append(Steps(told)) or begun[-1])
    monkeypatch.setattr(request, "Shown", lambda *told: begun.append(Steps(told)) or begun[-1])
    handle = model[1].handle("bob", output="probabilities")
    for run in ("x", "x", "y"):
        predicted({"pixels": X}, dataclasses.replace(handle, run=run))
    assert [(steps.told, sorted(steps.rows)) for steps in begun] == [
        (("predicting", None, "batches", 0), [2, 2, 4, 4, 4, 4]),
        (("predicting", None, "batches", 0), [2, 4, 4]),
    ]
    assert not any(steps.over.is_set() for steps in begun)
    model[1].close()
    assert all(steps.over.wait(10) for steps in begun)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_desk_that_cannot_answer_hangs_up(ray_cluster, monkeypatch):
    monkeypatch.setattr(desk, "_DAY", 10.0)  # that would be silence
    asked = desk.Desk(lambda _: 1 // 0, EngineConfig())
    try:
        visitor = desk.DeskVisitor(asked.address)
        with pytest.raises(icm.PeerLost):
            visitor.ask(b"question")
        visitor._link.close()
    finally:
        asked.close()
    with pytest.raises(icm.PeerLost):
        desk.DeskVisitor(asked.address)
