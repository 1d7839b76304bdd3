"""Alice's model on Bob's pictures: labels for Bob alone; and what an asker says that is not so."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
import torch
from msgspec.structs import replace
from typer.testing import CliRunner

import icm_ray as icm
from analytics.nn.offering import offered
from cluster.cli.main import app
from icm_ray.instance.found import found
from icm_ray.instance.messages import ListDatasets
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.pictures import OfferedPictures, PictureShelf, offer_pictures
from icm_ray.instance.settings import Settings
from icm_ray.network.model import IMAGES
from icm_ray.network.programs import WeightLoad, bias_name, encode_model_question, program_of
from icm_ray.query.held import HeldImageSource, HeldWeight
from icm_ray.query.image_tasks import ImageRows, ImageSource
from icm_ray.query.tasks import ColumnValues
from icm_ray.ring.array import RingArray
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Open
from icm_ray.runtime.orders.origins import Free, FromPrediction

SHAPE = (1, 4, 4)


def net(seed: int, classes: int = 3) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(16, 6), torch.nn.ReLU(), torch.nn.Linear(6, classes)
    ).eval()


def made(name: str, seed: int, classes: int = 3):
    return offered(name, net(seed, classes), input_bound=4.0, example_inputs=(torch.zeros(2, *SHAPE),))


def labels_of(network: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    return network(torch.from_numpy(images)).argmax(1).numpy()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(7).normal(size=(5, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def shelf(organisations):
    return ModelShelf(organisations["alice"][0])


@pytest.fixture(scope="module")
def skin(organisations, shelf, images, tmp_path_factory):
    """Alice offers two models to Bob; Bob has pictures, which Alice may ask one of them about."""
    public, weights = made("skin", 0)
    shelf.offer(public, weights, {"bob": 1000}, ("bob",))
    shelf.offer(*made("other", 1, 4), {"bob": 1000}, ("bob",))
    path = tmp_path_factory.mktemp("pictures") / "lesions.npy"
    np.save(path, images)
    pictures = PictureShelf(organisations["bob"][0])
    offer_pictures(pictures, "lesions", [str(path)], standing=("alice",), graphs=(public.graph,))
    offer_pictures(pictures, "private", [str(path)])
    return public


@pytest.fixture(scope="module")
def bob(organisations):
    with icm.connect(organisations["bob"][0]) as session:
        yield session


@pytest.fixture(scope="module")
def engine(skin, bob):
    """Lanes of Bob's, over which he lies."""
    return bob._engine(("alice",))


def test_labels_for_the_owner_of_the_pictures(skin, bob, images):
    model, lesions = bob.model("skin"), bob.peer("bob")["lesions"]
    assert (model.owner, model.graph, len(lesions)) == ("alice", skin.graph, 5)
    assert model.predict(lesions, output="label").reveal().tolist() == labels_of(net(0), images).tolist()
    assert model.predict(images[:2]).reveal().tolist() == labels_of(net(0), images[:2]).tolist()


def test_labels_for_the_owner_of_the_model_of_the_graph_that_was_agreed_to(skin, alice, images):
    lesions = alice.peer("bob")["lesions"]
    assert alice.model("skin").predict(lesions).reveal().tolist() == labels_of(net(0), images).tolist()
    with pytest.raises(icm.PolicyError, match="has not agreed to 'label' of this model"):
        alice.model("other").predict(lesions).reveal()
    with pytest.raises(icm.PolicyError, match="has not agreed to 'logits' of this model"):
        alice.model("skin").predict(lesions, output="logits").reveal()


def test_a_model_that_ends_in_probabilities_says_them(shelf, skin, bob, images, organisations):
    network = torch.nn.Sequential(net(8), torch.nn.Softmax(1)).eval()
    made = offered(
        "chances", network, outputs=("probabilities",), input_bound=4.0, example_inputs=(torch.zeros(2, *SHAPE),)
    )
    shelf.offer(*made, {"bob": 1000}, ("bob",))
    model, pictures = bob.model("chances"), PictureShelf(organisations["bob"][0])
    wanted = network(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(model.predict(images, output="probabilities").reveal(), wanted, atol=1e-2)
    for output in ("label", "top_k"):
        with pytest.raises(icm.PolicyError, match=f"says probabilities, and no {output}"):
            model.predict(images, output=output, k=2 if output == "top_k" else None).reveal()
    held = pictures.pictures["lesions"]
    pictures.put(replace(held, public=replace(held.public, mock=4)))
    try:
        mock = bob.peer("bob")["lesions"].mock()
        assert model.predict(mock, output="probabilities").reveal().shape == (4, 3)
    finally:
        pictures.put(held)
        shelf.remove("chances")


def test_what_is_offered_is_public_alone(skin, alice, bob, organisations):
    models = bob._own.models("alice")
    assert {offer.name for offer in models} >= {"skin", "other"}  # other tests offer more
    assert "lesions" in [item.name for item in alice._own.catalogue("bob").pictures]
    said = msgspec.msgpack.encode(models)
    assert str(organisations["alice"][0]).encode() not in said
    weight = net(0)[1].weight.detach().numpy()
    assert weight.tobytes()[:8] not in said
    with pytest.raises(icm.OwnerError, match="nobody offers a model 'lungs' to bob"):
        bob.model("lungs")


def test_a_name_of_a_peers_catalogue_takes_one_question(skin, alice, monkeypatch):
    bob, said, call = alice.peer("bob"), [], type(alice._own.link).call

    def heard(link, what):
        said.append(what.call)
        return call(link, what)

    alice._engine(("bob",))  # lanes are assembled before
    monkeypatch.setattr(type(alice._own.link), "call", heard)
    assert len(bob["lesions"]) == 5
    assert {"visits", "lesions"} <= set(bob)
    assert bob["visits"].columns
    assert said == [ListDatasets()] * 3
    with pytest.raises(icm.OwnerError, match="bob offers no dataset 'moles' to alice; it offers visits"):
        bob["moles"]


# --- mock pictures --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def offered_mock(skin, organisations):
    """Bob's pictures, of which he says that there are 40 mock ones."""
    pictures = PictureShelf(organisations["bob"][0])
    pictures.put(replace(pictures.pictures["lesions"], public=OfferedPictures("tried", 5, 40)))
    yield
    pictures.remove("tried")


def test_predictions_on_mock_pictures_are_invented_and_ask_nobody(offered_mock, bob, shelf, monkeypatch):
    model, tried, used = bob.model("skin"), bob.peer("bob")["tried"], dict(shelf.used("skin"))
    monkeypatch.setattr(type(bob._own.link), "call", lambda *_: pytest.fail("somebody was asked"))
    prediction = model.predict(tried.mock())
    found = prediction.reveal()
    assert (found.shape, found.dtype, set(found.tolist())) == ((40,), np.int64, {0, 1, 2})
    assert found.mock
    assert repr(found).endswith("(of mock rows)")
    assert model.predict(tried.mock()).reveal().tolist() == found.tolist()
    batches = [batch["label"] for batch in prediction.iter_batches("bob")]
    assert np.concatenate(batches).tolist() == found.tolist()
    assert [len(batch) for batch in batches] == [32, 8]
    assert prediction.explain().startswith("of mock rows: nobody is asked")
    with pytest.raises(icm.OwnerError, match="'mallory' is not approved here"):
        prediction.reveal(to="mallory")
    with pytest.raises(icm.PolicyError, match="its model 'skin' says label, and no logits"):
        model.predict(tried.mock(), output="logits").reveal()
    assert dict(shelf.used("skin")) == used


def test_mock_predictions_have_the_form_of_real_ones(offered_mock, alice):
    """Alice may ask her own model for anything; answers agree with one another."""
    model, tried = alice.model("other"), alice.peer("bob")["tried"].mock()

    def asked(output, **more):
        return model.predict(tried, output=output, **more).reveal()

    logits = asked("logits")
    assert logits.shape == (40, 4)
    assert asked("label").tolist() == logits.argmax(1).tolist()
    assert asked("top_k", k=2).tolist() == np.argsort(-logits, axis=1)[:, :2].tolist()
    assert asked("above", threshold=1).tolist() == (logits >= 1).astype(int).tolist()
    chances = asked("probabilities")
    assert np.abs(chances.sum(axis=1) - 1).max() < 1e-3
    assert chances.argmax(1).tolist() == logits.argmax(1).tolist()


def test_pictures_without_mock_ones_say_how_there_are_some(skin, alice):
    with pytest.raises(icm.OwnerError, match="bob offers no mock pictures of 'lesions'"):
        alice.peer("bob")["lesions"].mock()
    said = msgspec.msgpack.encode(OfferedPictures("lesions", 5))
    assert b"mock" not in said
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(OfferedPictures("x", 5, 1 << 30)), type=OfferedPictures)


def test_icm_data_states_mock_pictures(tmp_path, images):
    home, path = tmp_path / "bob", tmp_path / "lesions.npy"
    found(home, Settings("bob", "organisation", "127.0.0.1:0", spare_workers=0))
    np.save(path, images)
    said = CliRunner().invoke(app, ["data", "--home", str(home), "lesions", str(path), "--mock", "16", "--json"])
    assert [(one["name"], one["mock"]) for one in json.loads(said.output)] == [("lesions", 16)]
    wrong = CliRunner().invoke(
        app, ["data", "--home", str(home), "lesions", str(path), "--mock", "16", "--mock-values", "x=1"]
    )
    assert wrong.exit_code
    assert "no values to state" in " ".join(str(wrong.exception or wrong.output).split())


# --- lies ---------------------------------------------------------------------------------------------------------


class Lie:
    """What Bob's driver asks of Alice's worker about her models, said as he likes."""

    def __init__(self, engine, model, version="lie"):
        self.engine, self.load = engine, WeightLoad(model=model, version=version, owner="alice")

    def names(self):
        graph = self.load.model.graph
        names = [name for name in self.load.model.lowered.weights if graph.loaders[name] == name]
        return names + [bias_name(name) for name in names if graph.product(name).bias_key is not None]

    def run(self, asked, tasks=None, given=None, origin=None):
        program = program_of(asked, self.engine.parties)
        origin = origin or FromPrediction(encode_model_question(asked))
        return self.engine.execute([LaneJob(0, program, tasks=tasks or {}, given=given or {}, origin=origin)])

    def loads(self, name):
        return self.run(self.load, {"alice": dict.fromkeys(self.names(), HeldWeight(name))})

    def predicts(self, output="label", images="bob", given=None, tasks=None, to="bob", **changed):
        asked = self.load.prediction(images=images, count=5, output=output, to=to)
        return self.run(replace(asked, **changed), tasks, given)


def ring(count=5) -> RingArray:
    return np.zeros((count, *SHAPE), np.uint64)


def test_weights_are_those_of_the_graph(skin, engine):
    other = made("other", 1, 4)[0].model
    for model, name in ((other, "skin"), (replace(skin.model, error=skin.model.error * 2), "skin")):
        with pytest.raises(icm.PolicyError, match="the graph that is stated is another"):
            Lie(engine, model, "graph").loads(name)
    scheme = replace(skin.model.scheme, inputs=skin.model.scheme.inputs + 1)
    with pytest.raises(icm.IcmError):
        Lie(engine, replace(skin.model, scheme=scheme), "byte").loads("skin")


@pytest.mark.parametrize("name", ["/etc/passwd", "../models.json", "nothing", ""])
def test_no_path_is_a_model(skin, engine, name):
    with pytest.raises(icm.PolicyError, match="it offers bob no model") as refused:
        Lie(engine, skin.model, "path").loads(name)
    assert "root" not in str(refused.value)


def test_weights_are_not_the_askers_to_state(skin, engine):
    lie = Lie(engine, skin.model, "stated")
    with pytest.raises(icm.PolicyError):
        lie.run(lie.load, given={"alice": {name: np.zeros(1, np.uint64) for name in lie.names()}})
    with pytest.raises(icm.PolicyError):
        lie.run(lie.load)
    mixed = dict.fromkeys(lie.names(), HeldWeight("skin"))
    with pytest.raises(icm.PolicyError, match="weights are those of one model"):
        lie.run(lie.load, {"alice": {**mixed, lie.names()[0]: HeldWeight("other")}})


def test_predictions_take_weights_that_were_loaded_and_outputs_that_are_allowed(skin, engine):
    lie = Lie(engine, skin.model, "outputs")
    with pytest.raises(icm.IcmError):
        lie.predicts(given={"bob": {IMAGES: ring()}})  # nothing was loaded
    lie.loads("skin")
    for output, more in (("logits", {}), ("probabilities", {}), ("top_k", {"k": 2}), ("above", {"threshold": 0.5})):
        with pytest.raises(icm.PolicyError, match=f"says label, and no {output}"):
            lie.predicts(output, given={"bob": {IMAGES: ring()}}, **more)
    with pytest.raises(icm.PolicyError, match="results for alice have a name of their run"):
        lie.predicts(to="alice", given={"bob": {IMAGES: ring()}})
    with pytest.raises(icm.PolicyError):  # another's images
        lie.predicts(images="alice", given={"alice": {IMAGES: ring()}})
    program = program_of(lie.load.prediction(images="bob", count=5, output="logits", to="bob"), engine.parties)
    with pytest.raises(icm.PolicyError):  # a program that opens what it likes
        engine.execute([LaneJob(0, program, given={"bob": {IMAGES: ring()}}, origin=Free())])
    asked = encode_model_question(lie.load.prediction(images="bob", count=5, output="label", to="bob"))
    with pytest.raises(icm.ProgramError, match="not the program that follows"):
        engine.execute([LaneJob(0, program, given={"bob": {IMAGES: ring()}}, origin=FromPrediction(asked))])


def test_pictures_are_their_owners_to_name(skin, alice, images):
    model = alice.model("skin")
    loaded = model._weights("bob", ())
    engine = loaded.session

    def tell(source):
        lane = engine._lanes[0]
        with lane.using():
            call = lane.next_call()
            return lane.ask({"bob": say.OpenTable(call, Open("pictures", source))}, call, "a lie")["bob"].info

    with pytest.raises(icm.PolicyError, match="by their name in the catalogue"):
        tell(ImageSource(("/etc/",), SHAPE))
    for name in ("private", "nothing"):
        with pytest.raises(icm.PolicyError, match="offers alice no pictures"):
            tell(HeldImageSource(name, SHAPE))
    info = tell(HeldImageSource("lesions", SHAPE))
    assert (info.rows, info.files, info.ids, info.columns) == ((5,), (), (), ())
    lie = Lie(engine, skin.model, "pictures")
    lie.loads("skin")
    scheme = skin.model.scheme
    rows = ImageRows("pictures", tuple(range(5)), scheme.input_f, scheme.inputs)
    asked = lie.load.prediction(images="bob", count=5, output="label", to="alice")
    with pytest.raises(icm.PolicyError, match="not the asker's to state"):
        lie.run(asked, given={"bob": {IMAGES: ring()}})
    for changed in ({"scale": 2.0}, {"mean": (1.0,), "std": (1.0,)}, {"whole": True}):
        with pytest.raises(icm.PolicyError, match="has not agreed"):
            lie.run(asked, {"bob": {IMAGES: replace(rows, **changed)}})
    beyond = replace(rows, rows=(0, 1, 2, 3, 9))
    with pytest.raises(icm.IcmError):
        lie.run(asked, {"bob": {IMAGES: beyond}})
    (done,) = lie.run(asked, {"bob": {IMAGES: rows}})
    assert len(done.results["label"]) == 5
    engine.forget(["pictures"])


def test_no_model_is_asked_about_rows_that_a_policy_guards(skin, alice):
    """... nor as pictures by their name, nor once they are open as a table, before and after a question about them."""
    engine = alice.model("skin")._weights("bob", ()).session
    with pytest.raises(icm.PolicyError, match="offers alice no pictures 'visits'"):
        engine.open_table("bob", HeldImageSource("visits", SHAPE))
    lie, scheme = Lie(engine, skin.model, "rows"), skin.model.scheme
    lie.loads("skin")
    asked = lie.load.prediction(images="bob", count=5, output="label", to="alice")
    frame = alice.peer("bob")["visits"]
    assert frame.meant.dataset.engine is engine
    (table,) = [one.name for one in frame.meant.dataset.facts.tables]
    tasks = (
        ImageRows(table, tuple(range(5)), scheme.input_f, scheme.inputs),
        ColumnValues(table, "cost", 0, scheme.input_f, scheme.inputs),
    )
    for task in tasks:
        with pytest.raises((icm.PolicyError, icm.ProgramError), match="bob refuses"):
            lie.run(asked, {"bob": {IMAGES: task}})
    assert frame["age"].sum().reveal() > 0
    for task in tasks:
        with pytest.raises(icm.ProgramError, match="a prediction takes no rows of a dataset"):
            lie.run(asked, {"bob": {IMAGES: task}})
    with pytest.raises(icm.InputError):
        alice.model("skin").predict(frame).reveal()


def test_errors_name_rows_to_the_owner_of_the_pictures_alone(skin, alice, bob, organisations, tmp_path):
    images = np.zeros((3, *SHAPE), np.float32)
    images[1] = 1e6
    np.save(tmp_path / "bad.npy", images)
    pictures = PictureShelf(organisations["bob"][0])
    offer_pictures(pictures, "bad", [str(tmp_path / "bad.npy")], standing=("alice",), graphs=(skin.graph,))
    with pytest.raises(icm.BoundError, match="image 1"):
        bob.model("skin").predict(bob.peer("bob")["bad"]).reveal()
    with pytest.raises(icm.BoundError, match="bob refuses: its rows") as refused:
        alice.model("skin").predict(alice.peer("bob")["bad"]).reveal()
    assert not {"rows", "row", "path"} & set(refused.value.where)


# --- what is counted ----------------------------------------------------------------------------------------------


def test_a_quota_is_one_over_all_sessions_and_versions(organisations, shelf, skin, bob):
    shelf.offer(*made("few", 2), {"bob": 7}, ("bob",))
    lesions = bob.peer("bob")["lesions"]
    assert len(bob.model("few").predict(lesions).reveal()) == 5
    refused = (icm.PolicyError, "2 images are left of its quota for bob")
    with pytest.raises(refused[0], match=refused[1]):
        bob.model("few").predict(lesions).reveal()
    lie = Lie(bob._engine(("alice",)), bob.model("few")._offer.model, "anew")
    lie.load = replace(lie.load, quota={"bob": 10**6}, account="mine")
    lie.loads("few")
    with pytest.raises(refused[0], match=refused[1]):
        lie.predicts(given={"bob": {IMAGES: ring()}})
    assert ModelShelf(organisations["alice"][0]).used("few") == {"bob": 5}
    shelf.offer(*made("few", 3), {"bob": 7}, ("bob",))  # another in its place counts on
    with pytest.raises(refused[0], match=refused[1]):
        bob.model("few").predict(lesions).reveal()


def test_a_run_that_some_member_refuses_counts_nothing(shelf, skin, bob, organisations):
    before = dict(shelf.used("skin"))
    lie = Lie(bob._engine(("alice",)), skin.model, "refused")
    lie.loads("skin")
    with pytest.raises(icm.IcmError):
        lie.predicts(given={"bob": {IMAGES: ring(4)}})  # not the five that the question says
    bob.model("skin").predict(np.zeros((1, *SHAPE), np.float32)).reveal()
    assert shelf.used("skin")["bob"] == before.get("bob", 0) + 1


def test_a_model_that_was_replaced_is_not_the_one_that_was_asked_for(shelf, skin, bob):
    shelf.offer(*made("moved", 4), {"bob": 100}, ("bob",))
    model, lesions = bob.model("moved"), bob.peer("bob")["lesions"]
    assert len(model.predict(lesions).reveal()) == 5
    shelf.offer(*made("moved", 5), {"bob": 100}, ("bob",))
    with pytest.raises(icm.PolicyError, match="'moved' is another now"):
        model.predict(lesions).reveal()
    shelf.remove("moved")
    with pytest.raises(icm.PolicyError, match="offers bob no model 'moved'"):
        model.predict(lesions).reveal()


def test_weights_that_were_changed_on_disk_are_not_loaded(shelf, skin, bob):
    held = shelf.offer(*made("damaged", 6), {"bob": 100}, ("bob",))
    path = shelf.path(held)
    payload = bytearray(path.read_bytes())
    payload[-1] ^= 1
    path.write_bytes(payload)
    with pytest.raises(icm.SourceError, match="alice refuses: its rows, or its own files") as refused:
        bob.model("damaged").predict(bob.peer("bob")["lesions"]).reveal()
    assert "path" not in refused.value.where


def test_only_named_owners_have_their_images_predicted_on(shelf, skin, alice, bob):
    shelf.offer(*made("own", 7), {}, ())
    assert "own" not in {offer.name for offer in bob._own.models("alice")}
    with pytest.raises(icm.PolicyError):
        alice.model("own").predict(alice.peer("bob")["lesions"]).reveal()
    assert len(alice.model("own").predict(np.zeros((2, *SHAPE), np.float32)).reveal()) == 2


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_commands_offer_models_and_pictures(organisations, tmp_path):
    def icm_says(*words):
        found = CliRunner().invoke(app, [words[0], "--home", str(organisations["alice"][0]), *words[1:]])
        assert found.exit_code == 0, found.output
        return found.output

    torch.export.save(torch.export.export(net(0), (torch.zeros(2, *SHAPE),)), tmp_path / "model.pt2")
    np.save(tmp_path / "mine.npy", np.zeros((4, *SHAPE)))
    words = ("--quota", "bob=10", "--standing", "bob", "--input-bound", "4", "--json")
    listed = json.loads(icm_says("model", "exported", str(tmp_path / "model.pt2"), *words))
    (row,) = [row for row in listed if row["name"] == "exported"]
    assert (row["images"], row["says"], row["used"]) == ("1 x 4 x 4", ["label"], ["bob 0 of 10"])
    listed = json.loads(icm_says("data", "mine", str(tmp_path / "mine.npy"), "--json"))
    assert {
        "name": "mine",
        "rows": 4,
        "columns": "pictures",
        "answered_at_once": [],
        "may_request": [],
        "asleep": [],
        "mock": 0,
    } in listed
    assert "mine" not in icm_says("data", "mine", "--remove", "--json")
    assert "exported" not in icm_says("model", "exported", "--remove", "--json")
    for wrong in (("data", "mine", str(tmp_path / "mine.npy"), "--standing", "bob"), ("model", "m", "none.pt2")):
        assert CliRunner().invoke(app, [wrong[0], "--home", str(organisations["alice"][0]), *wrong[1:]]).exit_code
