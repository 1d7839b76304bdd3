"""A third organisation asks: alice's model on bob's pictures, and dave hears the labels, where both of them let him."""

from __future__ import annotations

import numpy as np
import pytest

import icm_ray as icm
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.pictures import PictureShelf, offer_pictures
from icm_ray.instance.settings import Settings
from tests.instance.conftest import meet
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

    def put(standing=(), agreed=(), requests=(), quota=None):
        models.offer(public, weights, {"bob": 100} if quota is None else quota, standing, requests)
        graphs = (public.graph,) if agreed else ()
        offer_pictures(pictures, "shown", [str(path)], standing=agreed, graphs=graphs, requests=requests)

    yield put
    models.remove("third")
    pictures.remove("shown")


@pytest.fixture(scope="module")
def dave(organisations, tmp_path_factory):
    home = tmp_path_factory.mktemp("organisations") / "dave"
    found(home, Settings("dave", "organisation", "127.0.0.1:0", spare_workers=0))
    alice, bob, carol = (organisations[name][1] for name in ("alice", "bob", "carol"))
    with Instance(home) as instance:
        meet(alice, instance)
        meet(instance, bob)
        meet(carol, instance)
        instance._answers._outbox._fresh = 0.0
        with icm.connect(home) as session:
            yield session


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
    with pytest.raises(icm.PolicyError, match="alice refuses: it offers dave no model"):
        prediction.reveal()
    with pytest.raises(icm.OwnerError, match="alice offers no model 'third' to dave"):
        asked(dave)


def test_images_of_whom_the_owner_of_the_model_allows(offer, dave):
    offer(("dave",), ("dave",), quota={"dave": 100})
    with pytest.raises(icm.PolicyError, match="alice refuses: its model predicts on no images of bob's"):
        asked(dave).reveal()


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
