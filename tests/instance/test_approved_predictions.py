"""Predictions that a person approves: of that model, on these pictures, so many images with each use, until then."""

from __future__ import annotations

import json
from contextlib import nullcontext
from time import time

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

import icm_ray as icm
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.image_granting import ImageGranting
from icm_ray.instance.jobs import RequestApproval
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.pictures import PictureShelf, offer_pictures
from icm_ray.instance.prediction_form import AskedPrediction, form_of
from icm_ray.instance.requests import Requests
from icm_ray.network.model import IMAGES
from icm_ray.query.held import HeldImageSource
from icm_ray.query.image_tasks import ImageRows
from icm_ray.runtime.orders.house import OpenPictures, PredictionFacts, UseModel, UsePictures
from tests.instance.test_models import SHAPE, Lie, labels_of, made, net, ring
from tests.instance.test_requests import LATER, invoked, number_of

COUNT = 5


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(11).normal(size=(COUNT, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def offers(organisations, images, tmp_path_factory):
    """Alice's model "mole", which Bob may request; Bob's pictures "spots", which Alice may request."""
    for name in ("alice", "bob"):
        organisations[name][1]._answers._outbox._fresh = 0.0  # what is decided is heard at once
    models, pictures = ModelShelf(organisations["alice"][0]), PictureShelf(organisations["bob"][0])
    public, weights = made("mole", 5)
    models.offer(public, weights, {}, requests=("bob",))
    path = tmp_path_factory.mktemp("spots") / "spots.npy"
    np.save(path, images)
    offer_pictures(pictures, "spots", [str(path)], requests=("alice",))
    yield public, path
    models.remove("mole")
    pictures.remove("spots")


@pytest.fixture(scope="module")
def bob(organisations):
    with icm.connect(organisations["bob"][0]) as session:
        yield session


def held(organisations, name) -> Requests:
    return organisations[name][1].requests


def test_the_owner_of_the_model_approves(offers, organisations, bob, images):
    home, requests = organisations["alice"][0], held(organisations, "alice")
    prediction = bob.model("mole").predict(bob.peer("bob")["spots"])
    with pytest.raises(icm.PolicyError, match="nobody approved this question"):
        prediction.reveal()
    assert ModelShelf(home).used("mole") == {"bob": 0}
    job = prediction.request(reason="of alice's own pictures \x1b[2J")
    assert job.status == "waiting"
    number = number_of(organisations["alice"][1], job)
    (listed,) = [one for one in json.loads(invoked(home, "requests", "--json")) if one["number"] == number]
    assert (listed["asker"], listed["state"], listed["datasets"]) == ("bob", "waiting", ["mole"])
    told = " ".join(invoked(home, "show", str(number)).split())
    for words in (
        f"prediction of label by alice's model mole on images of bob's, {COUNT} at most with each use",
        offers[0].graph,
        "to: bob alone, of each image the class",
        "computed by: bob, alice, and a dealer",
    ):
        assert words in told
    assert "spots" not in told
    assert "\x1b" not in told
    invoked(home, "approve", str(number), "--times", "2", "--until", "2090-01-01")
    assert job.result().tolist() == labels_of(net(5), images).tolist()
    assert requests.of(number).used == 1
    with icm.connect(organisations["bob"][0]) as later:  # the driver comes back
        assert later.job(job.id).result().tolist() == labels_of(net(5), images).tolist()
    assert requests.of(number).used == 2
    with pytest.raises(icm.PolicyError, match="was approved 2 times, and was asked so often"):
        job.result()
    assert ModelShelf(home).used("mole") == {"bob": 2 * COUNT}
    log = [entry for entry in AuditLog(home).entries() if entry.what == "predicted"]
    assert log[-1].facts["use"] == "2 of 2"


@pytest.mark.slow
def test_the_owner_of_the_pictures_approves(offers, organisations, alice, images):
    home, requests = organisations["bob"][0], held(organisations, "bob")
    prediction = alice.model("mole").predict(alice.peer("bob")["spots"])
    with pytest.raises(icm.PolicyError, match="nobody approved this question"):
        prediction.reveal()
    job = prediction.request()
    number = number_of(organisations["bob"][1], job)
    told = " ".join(invoked(home, "show", str(number)).split())
    for words in ("by a model of alice's on bob's pictures spots, 5 at most", offers[0].graph, "to: alice alone"):
        assert words in told
    assert "mole" not in told
    invoked(home, "approve", str(number), "--times", "1", "--until", "2090-01-01")
    assert job.result().tolist() == labels_of(net(5), images).tolist()
    assert requests.of(number).used == 1
    with pytest.raises(icm.PolicyError, match="asked so often"):
        job.result()
    invoked(home, "deny", str(number), "once was enough")
    with pytest.raises(icm.PolicyError, match="bob denied the request: once was enough"):
        job.result()


def test_arrays_of_the_own_process_are_requested_too(offers, organisations, bob, images):
    job = bob.model("mole").predict(images[:3]).request()
    number = number_of(organisations["alice"][1], job)
    held(organisations, "alice").approve(number, 1, LATER)
    assert job.result().tolist() == labels_of(net(5), images[:3]).tolist()
    with pytest.raises(icm.InputError, match="were of another process"):
        bob.job(job.id).result()


def test_a_quota_holds_beside_an_approval(offers, organisations, bob, images):
    home = organisations["alice"][0]
    shelf = ModelShelf(home)
    shelf.offer(*made("rare", 6), {"bob": 7}, requests=("bob",))
    try:
        prediction = bob.model("rare").predict(images)
        number = number_of(organisations["alice"][1], prediction.request())
        held(organisations, "alice").approve(number, 10, LATER)
        assert len(prediction.reveal()) == COUNT
        with pytest.raises(icm.PolicyError, match="2 images are left of its quota for bob"):
            prediction.reveal()
        assert shelf.used("rare") == {"bob": COUNT}
        assert held(organisations, "alice").of(number).used == 1
    finally:
        shelf.remove("rare")


def test_what_cannot_be_requested(offers, organisations, bob):
    pictures = PictureShelf(organisations["bob"][0])
    held_pictures = pictures.pictures["spots"]
    pictures.put(replace(held_pictures, public=replace(held_pictures.public, mock=4)))
    try:
        with pytest.raises(icm.InputError, match="mock pictures need no approval"):
            bob.model("mole").predict(bob.peer("bob")["spots"].mock()).request()
    finally:
        pictures.put(held_pictures)
    with pytest.raises(icm.InputError, match="1000 at most"):
        bob.model("mole").predict(bob.peer("bob")["spots"]).request("x" * 1001)
    job = bob.model("mole").predict(bob.peer("bob")["spots"], output="logits").request()
    with pytest.raises(icm.PolicyError, match="its model 'mole' says label, and no logits"):
        job.result()


# --- what an asker says that is not so ------------------------------------------------------------------------------


ASKED = AskedPrediction("alice", "bob", "", "label", COUNT)


def told(organisations, name, asker, asked, names, parties=("bob", "alice"), job="f"):
    call = RequestApproval(job * 16, msgspec.msgpack.encode(asked), names, parties, "", kind="prediction")
    return organisations[name][1]._answers.to_peer(asker, call)


def test_a_request_is_held_against_the_catalogue(offers, organisations):
    right = replace(ASKED, graph=offers[0].graph)
    mine, his = {"model": "mole"}, {"pictures": "spots"}
    before = [len(held(organisations, name).all) for name in ("alice", "bob")]
    for name, asker, asked, names, parties, reason in (
        ("alice", "bob", replace(right, graph="0" * 32), mine, ("bob", "alice"), "described otherwise"),
        ("alice", "bob", replace(right, model_owner="bob"), mine, ("bob", "alice"), "nobody else"),
        ("alice", "bob", right, mine, ("bob", "alice", "carol"), "nobody else"),
        ("alice", "bob", right, {"model": "private"}, ("bob", "alice"), "offers bob no model"),
        ("alice", "bob", right, {}, ("bob", "alice"), "neither a model of it"),
        ("alice", "bob", right, {"x": "mole"}, ("bob", "alice"), "neither a model of it"),
        ("alice", "bob", replace(right, output="top_k", k=1), mine, ("bob", "alice"), "says label, and no top_k"),
        ("alice", "bob", right, {**mine, **his}, ("bob", "alice"), "offers bob no pictures"),
        ("bob", "alice", replace(right, images=COUNT + 1), his, ("alice", "bob"), "described otherwise"),
        ("bob", "alice", right, {"pictures": "../pictures"}, ("alice", "bob"), "offers alice no pictures"),
        ("bob", "alice", {"x": 1}, his, ("alice", "bob"), "no prediction"),
        ("bob", "alice", replace(right, graph="4f, as agreed"), his, ("alice", "bob"), "no prediction"),
        ("bob", "alice", replace(right, graph="a" * 32 + "\n"), his, ("alice", "bob"), "no prediction"),
    ):
        with pytest.raises(icm.PolicyError, match=reason):
            told(organisations, name, asker, asked, names, parties)
    named = replace(right, model_owner="alice, as agreed by telephone")
    with pytest.raises(icm.InstanceError, match="bob has not approved all who would take part"):
        told(organisations, "bob", "alice", named, his, ("alice", "bob", named.model_owner))
    assert [len(held(organisations, name).all) for name in ("alice", "bob")] == before


def facts(**changed) -> PredictionFacts:
    known = PredictionFacts("alice", "bob", "label", COUNT, parties=("bob", "alice"), session="s" * 16, run="r")
    return replace(known, **changed)


@pytest.fixture
def approved(offers, organisations):
    """Alice's instance, as her own worker asks it, and a request that was approved often."""
    answers, requests = organisations["alice"][1]._answers, held(organisations, "alice")
    for one in requests.all:
        requests.deny(one.number, "")
    told(organisations, "alice", "bob", replace(ASKED, graph=offers[0].graph), {"model": "mole"})
    number = next(one.number for one in requests.all if one.job == "f" * 16)
    requests.approve(number, 100, LATER)
    weights = ModelShelf(organisations["alice"][0]).models["mole"].weights
    yield (lambda asked, back=False: answers.to_worker("bob", UseModel("mole", weights, asked, back))), requests, number
    requests.deny(number, "")


def test_another_prediction_is_not_the_approved_one(approved):
    use, requests, number = approved
    for changed in (
        {"images_owner": "dora", "parties": ("bob", "alice", "dora")},
        {"parties": ("bob", "alice", "dora")},
        {"parties": ("alice", "bob")},
        {"k": 1},
        {"threshold": 0.5},
    ):
        with pytest.raises(icm.PolicyError, match="nobody approved this question"):
            use(facts(**changed))
    assert requests.of(number).used == 0
    use(facts())
    assert requests.of(number).used == 1


def test_a_use_is_good_for_so_many_images(approved):
    use, requests, number = approved

    def after(**changed):
        use(facts(**changed))
        return requests.of(number).used

    assert [after(run="a", count=count) for count in (2, 2, 1, 1, 4)] == [1, 1, 1, 2, 2]
    assert after(run="b", count=1) == 3  # of another run's uses it has none
    assert after(run="b", session="t" * 16, count=1) == 4
    assert after(run="c", count=COUNT) == 5
    use(facts(run="c", count=COUNT), back=True)  # the run did not begin
    assert after(run="c", count=COUNT) == 5
    assert after(run="d", count=3 * COUNT + 1) == 9
    assert after(run="d", count=COUNT - 1) == 9


def test_what_is_left_of_a_use_ends_with_the_approval(approved):
    use, requests, number = approved
    use(facts(count=1))
    requests.deny(number, "enough")
    with pytest.raises(icm.PolicyError, match="was denied: enough"):
        use(facts(count=1))
    requests.approve(number, 1, LATER)
    use(facts(count=1))
    assert requests.of(number).used == 1


def test_a_model_that_is_offered_anew_ends_approvals(approved, organisations, offers):
    use, _, _ = approved
    shelf = ModelShelf(organisations["alice"][0])
    known = shelf.models["mole"]
    shelf.put(replace(known, public=replace(known.public, outputs=("label", "logits"))))
    try:
        with pytest.raises(icm.PolicyError, match="nobody approved this question"):
            use(facts())
    finally:
        shelf.put(known)
    use(facts())


def test_a_model_that_is_gone_takes_nothing_back_and_hinders_nobody(organisations):
    """A worker tells of a run that did not begin once the next job comes, whatever that is."""
    organisations["alice"][1]._answers.to_worker("bob", UseModel("gone", "", facts(), back=True))
    assert dict(ModelShelf(organisations["alice"][0]).used("gone")) == {}


def test_pictures_are_shared_under_the_graph_that_was_approved(offers, organisations):
    answers, requests = organisations["bob"][1]._answers, held(organisations, "bob")
    asked = facts(parties=("alice", "bob"))
    told(organisations, "bob", "alice", replace(ASKED, graph="a" * 32), {"pictures": "spots"}, ("alice", "bob"))
    number = next(one.number for one in requests.all if one.job == "f" * 16)
    requests.approve(number, 2, LATER)
    for graph, changed in (("b" * 32, {}), ("a" * 32, {"output": "logits"}), ("a" * 32, {"model_owner": "dora"})):
        with pytest.raises(icm.PolicyError, match="nobody approved this question"):
            answers.to_worker("alice", UsePictures("spots", graph, replace(asked, **changed)))
    with pytest.raises(icm.PolicyError, match="offers dora no pictures"):
        answers.to_worker("dora", UsePictures("spots", "a" * 32, asked))
    with pytest.raises(icm.PolicyError, match="'spots' were offered anew since these were taken"):
        answers.to_worker("alice", UsePictures("spots", "a" * 32, asked, opened="f" * 64))
    version = answers.to_worker("alice", OpenPictures("spots", (3, 8, 8))).version
    answers.to_worker("alice", UsePictures("spots", "a" * 32, asked, opened=version))
    assert requests.of(number).used == 1


@pytest.mark.slow
def test_pictures_that_another_member_refused_are_good_for_the_next_run(offers, organisations, alice, images, tmp_path):
    """... but not where they were at fault themselves: that is told, and counts."""
    public, requests = offers[0], held(organisations, "bob")
    np.save(tmp_path / "six.npy", np.concatenate([images, images[:1] * 1e6]))
    pictures = PictureShelf(organisations["bob"][0])
    offer_pictures(pictures, "six", [str(tmp_path / "six.npy")], requests=("alice",))
    told(organisations, "bob", "alice", replace(ASKED, graph=public.graph), {"pictures": "six"}, ("alice", "bob"), "d")
    number = next(one.number for one in requests.all if one.job == "d" * 16)
    requests.approve(number, 9, LATER)
    engine = alice.model("mole")._weights("bob", ()).session
    table = engine.open_table("bob", HeldImageSource("six", SHAPE)).name
    lie, scheme = Lie(engine, public.model, "refused"), public.model.scheme
    lie.loads("mole")
    asked = lie.load.prediction(images="bob", count=COUNT, output="label", to="alice")

    def used(*rows, refused=None, **more):
        task = ImageRows(table, rows, scheme.input_f, scheme.inputs)
        with pytest.raises(refused) if refused else nullcontext():
            lie.run(asked, {"bob": {IMAGES: task}}, **more)
        return requests.of(number).used

    try:
        used(0, 1, 2, 3, 4, refused=icm.PolicyError, given={"alice": {IMAGES: ring()}})
        used(0, 1, 2, 3, 9, refused=icm.ProgramError)
        assert used(0, 1, 2, 3, 4) == 1
        assert used(0, 1, 2, 3, 5, refused=icm.BoundError) == 2
        assert used(0, 1, 2, 3, 4) == 3
    finally:
        engine.forget([table])
        pictures.remove("six")


def test_uses_are_on_the_disk_before_they_are_granted(tmp_path):
    """A restart forgets what is left of a use, and takes another."""
    form = form_of("alice", "model", ("mole", "1"), "g", ASKED, "bob", ("bob", "alice"))
    requests = Requests(tmp_path)
    number = requests.add("bob", "1" * 16, form, "").number
    requests.approve(number, 2, time() + 60)
    run = form_of("alice", "model", ("mole", "1"), "g", facts(), "bob", ("bob", "alice"))
    assert [one.used for one in ImageGranting("alice", requests).grant("bob", run, facts(count=1))] == [1]
    again = ImageGranting("alice", Requests(tmp_path))
    assert [one.used for one in again.grant("bob", run, facts(count=1))] == [2]
    assert again.grant("bob", run, facts(count=COUNT - 1)) == []
    with pytest.raises(icm.PolicyError, match="alice refuses: this question was approved 2 times"):
        again.grant("bob", run, facts(count=1))
    with pytest.raises(icm.InputError):
        requests.approve(number, 1, time() + 60, ["x=1..2"])


def test_a_first_request_while_the_owner_of_the_model_is_away(offers, organisations, bob, images, monkeypatch):
    def away(*_):
        raise icm.PeerLost("alice is gone", party="alice", step="ask")

    assert bob.model("mole").outputs  # what is heard of it is kept
    with monkeypatch.context() as patched:
        patched.setattr(bob, "_engine", away)
        patched.setattr(bob._own, "models", away)
        with pytest.raises(icm.OwnerError, match="nobody offers a model 'hole'"):
            bob.model("hole")
        prediction = bob.model("mole").predict(bob.peer("bob")["spots"])
        assert "of which one" in prediction.explain()
        job = prediction.request(reason="while she is away")
    assert job.status == "waiting"
    held(organisations, "alice").approve(number_of(organisations["alice"][1], job), 1, LATER)
    assert job.result().tolist() == labels_of(net(5), images).tolist()
