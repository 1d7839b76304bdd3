"""A third organisation asks: alice's model on bob's pictures, and dave hears the labels, where both of them let him."""

from __future__ import annotations

from dataclasses import replace as replaced

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

import icm_ray as icm
from analytics.arrived import arrived
from analytics.nn.prediction_run import PredictionRun
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.pictures import PictureShelf, offer_pictures
from icm_ray.network.programs import decode_model_question, encode_model_question
from tests.instance.test_models import SHAPE, labels_of, made, net
from tests.instance.test_requests import LATER, number_of


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(12).normal(size=(4, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def offer(organisations, images, tmp_path_factory):
    """Offers the model "third" of alice's and the pictures "shown" of bob's, to whom the arguments name."""
    models, pictures = ModelShelf(organisations["alice"][0]), PictureShelf(organisations["bob"][0])
    path = tmp_path_factory.mktemp("third") / "shown.npy"
    np.save(path, images)
    public, weights = made("third", 8)
    public = replace(public, batch=3)  # of four images

    def put(standing=(), agreed=(), requests=(), quota=None):
        models.offer(public, weights, {"bob": 100} if quota is None else quota, standing, requests)
        graphs = (public.graph,) if agreed else ()
        offer_pictures(pictures, "shown", [str(path)], standing=agreed, graphs=graphs, requests=requests)

    yield put
    models.remove("third")
    pictures.remove("shown")
    for name in ("alice", "bob"):  # what was delivered here is nobody else's to count
        kept = organisations[name][1].results
        for one in kept.all:
            if one.asker == "dave":
                kept.remove(one.number)


def asked(dave):
    return dave.peer("alice").model("third").predict(dave.peer("bob")["shown"])


@pytest.mark.slow
def test_labels_for_a_third_organisation_that_both_owners_let_ask(offer, dave, organisations, images):
    offer(("dave",), ("dave",))
    assert asked(dave).reveal().tolist() == labels_of(net(8), images).tolist()
    assert ModelShelf(organisations["alice"][0]).used("third") == {"bob": len(images)}


def test_one_owner_alone_does_not_let_it(offer, dave):
    offer(("dave",), ("dave",))
    prediction = asked(dave)
    offer(("dave",), ())
    with pytest.raises(icm.PolicyError, match="bob refuses: it offers dave no pictures"):
        prediction.reveal()
    with pytest.raises(icm.OwnerError, match="'shown'"):
        asked(dave)
    offer((), ("dave",))
    both = "alice refuses: it offers dave no model|bob refuses: its pictures 'shown' were offered anew"
    with pytest.raises(icm.PolicyError, match=both):  # whoever is heard first
        prediction.reveal()
    with pytest.raises(icm.OwnerError, match="alice offers no model 'third' to dave"):
        asked(dave)


def test_images_of_whom_the_owner_of_the_model_allows(offer, dave):
    offer(("dave",), ("dave",), quota={"dave": 100})
    with pytest.raises(icm.PolicyError, match="alice refuses: its model predicts on no images of bob's"):
        asked(dave).reveal()


@pytest.mark.slow
def test_both_owners_approve(offer, dave, organisations, images):
    offer(requests=("dave",), quota={})
    job = asked(dave).request(reason="a review")
    assert job.status == "waiting"
    assert sorted(one.owner for one in job._look().owners) == ["alice", "bob"]
    for name in ("alice", "bob"):
        with pytest.raises(icm.InstanceError, match="not approved yet"):
            job.result(timeout=0)
        instance = organisations[name][1]
        instance.requests.approve(number_of(instance, job), 1, LATER)
    assert job.result().tolist() == labels_of(net(8), images).tolist()
    with pytest.raises(icm.PolicyError, match="asked so often"):
        job.result()


# --- what is for another organisation ---------------------------------------------------------------------------------


def of(organisations, name, receipt):
    """What an organisation has."""
    assert receipt.recipient == name
    (found,) = [one for one in arrived(organisations[name][0]) if one.number == receipt.number]
    return found


@pytest.mark.parametrize("to", ["bob", "alice"])
def test_another_organisation_hears_the_labels(offer, dave, organisations, images, to):
    offer(("dave", "bob"), ("dave", "alice"))
    before = len(arrived(organisations[to][0]))
    receipt = asked(dave).reveal(to=to)
    assert repr(receipt) == f"<delivered to {to}: result {receipt.number} there>"
    result = of(organisations, to, receipt)
    assert len(arrived(organisations[to][0])) == before + 1  # both batches are one result
    assert (result.asker, result.title, result.rows) == ("dave", "label of images of bob by a model of alice", 4)
    table = result.to_pandas()
    assert (table.index.name, list(table.index)) == ("row", [0, 1, 2, 3])
    assert table["label"].tolist() == labels_of(net(8), images).tolist()
    assert asked(dave).reveal(to=to).number == receipt.number + 1  # another run
    for name in ("alice", "bob"):
        log = [entry for entry in organisations[name][1].audit.entries() if entry.what in {"predicted", "shared"}]
        assert log[-1].facts["to"] == to
        assert log[-1].who == "dave"


def test_both_owners_hold_who_hears_it_against_what_stands_open(offer, dave, organisations):
    before = [len(arrived(organisations[name][0])) for name in ("alice", "bob")]
    offer(("dave",), ("dave",))
    with pytest.raises(icm.PolicyError, match="alice refuses: nobody approved this question"):
        asked(dave).reveal(to="bob")
    with pytest.raises(icm.PolicyError, match="bob refuses: it has not agreed to 'label' of this model"):
        asked(dave).reveal(to="alice")
    assert [len(arrived(organisations[name][0])) for name in ("alice", "bob")] == before
    for to in ("carol", "dora"):  # the dealer, and nobody
        with pytest.raises(icm.OwnerError, match="not approved here"):
            asked(dave).reveal(to=to)


def test_an_approval_is_for_its_recipient(offer, dave, organisations, images):
    offer(requests=("dave",), quota={})
    job = asked(dave).request(to="bob")
    for name in ("alice", "bob"):
        requests = organisations[name][1].requests
        number = number_of(organisations[name][1], job)
        assert requests.of(number).canonical.to == "bob"
        assert "to: bob alone" in requests.of(number).canonical.in_words
        requests.approve(number, 1, LATER)
    for to in (None, "alice"):
        with pytest.raises(icm.PolicyError, match=r"nobody approved this question|asked so often"):
            asked(dave).reveal(to=to)
    assert of(organisations, "bob", job.result()).to_pandas()["label"].tolist() == labels_of(net(8), images).tolist()


def test_what_is_only_for_those_who_hear_it(offer, dave):
    offer(("dave", "bob"), ("dave",))
    model, shown = dave.peer("alice").model("third"), dave.peer("bob")["shown"]
    for more in ({"errors": "mask"}, {"skip": [0]}):
        with pytest.raises(icm.InputError, match="are for what this organisation hears"):
            model.predict(shown, **more).reveal(to="bob")
    with pytest.raises(icm.InputError, match="are not handed over here"):
        next(model.predict(shown).iter_batches(to="bob"))


def lying(change, more=PredictionRun._more):
    """Alters what the driver tells the workers of a prediction."""

    def altered(run, lane):
        jobs = more(run, lane)
        if not jobs:
            return jobs
        told = change(jobs[-1])
        run._under_way[id(told)] = run._under_way.pop(id(jobs[-1]))
        return [*jobs[:-1], told]

    return altered


def test_a_liar_about_the_recipient_is_refused(offer, dave, organisations, monkeypatch):
    """Another one in the program than in the question; a run without a name; one that would hear it itself."""
    offer(("dave", "bob"), ("dave",))
    before = [len(arrived(organisations[name][0])) for name in ("alice", "bob")]

    def question(job, **facts):
        asked = msgspec.structs.replace(decode_model_question(job.origin.asked), **facts)
        return msgspec.structs.replace(job.origin, asked=encode_model_question(asked))

    lies = (
        (lambda job: replaced(job, origin=question(job, to="alice")), icm.ProgramError),
        (lambda job: replaced(job, origin=question(job, to="dave")), icm.ProgramError),
        (lambda job: replaced(job, origin=msgspec.structs.replace(job.origin, run="")), icm.PolicyError),
        (lambda job: replaced(job, origin=msgspec.structs.replace(job.origin, run="x" * 65)), icm.PolicyError),
        (lambda job: replaced(job, elsewhere=""), icm.FaultError),
    )
    for lie, error in lies:
        with monkeypatch.context() as patched:
            patched.setattr(PredictionRun, "_more", lying(lie))
            with pytest.raises(error):
                asked(dave).reveal(to="bob")
    assert len(arrived(organisations["alice"][0])) == before[0]


@pytest.mark.slow  # lanes of their own
def test_who_takes_no_other_part_hears_the_labels(offer, dave, organisations, images):
    offer((), ("alice", "dave"))
    with icm.connect(organisations["alice"][0]) as alice:
        prediction = alice.model("third").predict(alice.peer("bob")["shown"])
        receipt = prediction.reveal(to="dave")
        (found,) = [one for one in dave.results() if one.number == receipt.number]
        assert (found.asker, found.rows) == ("alice", 4)
        assert found.to_pandas()["label"].tolist() == labels_of(net(8), images).tolist()
        offer((), ("alice",))
        with pytest.raises(icm.PolicyError, match="bob refuses: it has not agreed to 'label' of this model"):
            prediction.reveal(to="dave")
