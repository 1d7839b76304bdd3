"""A model in its session: batches over lanes, who owns and who receives, what is told and to whom, what is refused."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import nn

from analytics.nn.model import SecureModel
from icm_ray.errors import (
    BoundError,
    FaultError,
    InputError,
    NullError,
    OwnerError,
    SessionClosed,
    ShapeError,
    UnsupportedError,
)
from icm_ray.ops.products import LoadWeight
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import Execution, LaneJob, More, Streamed
from tests.analytics.nn.secure_checks import images, plain


def made() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(64, 5)
    ).eval()


@pytest.fixture
def net() -> nn.Module:
    return made()


class Watched(ThreadEngine):
    """Keeps the jobs that it was given."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.jobs: list[LaneJob] = []
        self.handed_to: list[int] = []  # lanes, in the order in which a stream hands out its batches
        self.failing = False

    def execute(self, jobs: Sequence[LaneJob]) -> list[Execution]:
        self.jobs += jobs
        if self.failing:
            raise FaultError("told to fail")
        return super().execute(jobs)

    def stream(self, more: More) -> Generator[Streamed]:
        def watched(lane: int) -> Sequence[LaneJob] | None:
            jobs = more(lane)
            self.handed_to += [lane] if jobs else []
            return jobs

        return super().stream(watched)


def model_of(session: ThreadEngine, net: nn.Module, **settings) -> SecureModel:
    return SecureModel(session, net, "alice", (images(3, 8, 8),), **{"batch_size": 2, **settings})


@pytest.fixture(scope="module")
def model() -> Iterator[SecureModel]:
    """In a session of its own, with an owner outside, for tests that break nothing."""
    with Watched(owners=("dora",)) as session:
        yield model_of(session, made())


def loads(jobs: list[LaneJob]) -> list[int]:
    return [job.lane for job in jobs if isinstance(job.program.nodes[0].op, LoadWeight)]


def test_batches_go_round_the_lanes_and_weights_are_loaded_once(net: nn.Module) -> None:
    x, told = images(3, 8, 8, batch=9), []
    with Watched(lanes=2) as session:
        model = model_of(session, net)
        prediction = model.predict(x, owner="bob", progress=lambda done, count: told.append((done, count)))
        logits = prediction.reveal(to="bob")
        np.testing.assert_allclose(logits, plain(net, x), atol=prediction.error)
        assert sorted(loads(session.jobs)) == [0, 1]
        used = [job.lane for job in session.jobs if "images" in job.given.get("bob", {})]
        assert sorted(used) == sorted(session.handed_to)
        assert session.handed_to[:4] == [0, 1, 0, 1]  # before any has ended; the fifth goes to whichever ends first
        assert len(used) == 5
        assert told == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
        assert prediction.spent is not None
        assert min(prediction.spent.rounds, prediction.spent.sent_bytes, prediction.spent.dealt_bytes) > 0
        again = model.predict(x[:3], owner="bob").reveal(to="alice")
        np.testing.assert_allclose(again, logits[:3], atol=2 * prediction.error)
        assert sorted(loads(session.jobs)) == [0, 1]


def test_progress_is_told_batch_by_batch(net: nn.Module) -> None:
    told: list[tuple[int, int]] = []
    with ThreadEngine() as session:
        model = model_of(session, net, batch_size=1)
        model.predict(
            images(3, 8, 8, batch=6), owner="bob", progress=lambda done, count: told.append((done, count))
        ).reveal()
    assert told == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize("owner", ["alice", "bob", "dora"])
@pytest.mark.parametrize("to", ["alice", "bob", "dora", None])
@pytest.mark.parametrize("output", ["logits", "label"])
def test_any_owner_and_any_recipient(
    model: SecureModel, net: nn.Module, owner: str, to: str | None, output: str
) -> None:
    x = images(3, 8, 8, batch=2)
    prediction = model.predict(x, owner=owner, output=output)
    result = prediction.reveal(to=to)
    expected = plain(net, x)
    np.testing.assert_allclose(
        result, expected if output == "logits" else expected.argmax(axis=1), atol=prediction.error
    )


def test_values_travel_to_their_owner_alone(net: nn.Module) -> None:
    x = images(3, 8, 8, batch=3)
    with Watched(owners=("dora",)) as session:
        model_of(session, net).predict(x, owner="dora").reveal(to="bob")
    for job in session.jobs:
        names = {owner: set(given) for owner, given in job.given.items()}
        if loads([job]):
            assert set(names) == {"alice"}
        else:
            assert names == {"dora": {"images"}}


def test_a_failed_load_and_a_closed_model_load_anew_under_new_keys(net: nn.Module) -> None:
    x = images(3, 8, 8, batch=2)
    with Watched() as session:
        model = model_of(session, net)
        for there in (False, True):  # weights that are there are used again
            session.failing = True
            with pytest.raises(FaultError, match="told to fail"):
                model.predict(x, owner="bob").reveal()
            session.failing = False
            first = model.predict(x, owner="bob").reveal()
            assert len(loads(session.jobs)) == 2, there
        model.close()
        last = model.predict(x, owner="bob").reveal()
        np.testing.assert_allclose(first, last, atol=2 * model.error)
        keys = [node.op.key for job in session.jobs if loads([job]) for node in job.program.nodes]
        assert len(loads(session.jobs)) == 3
        assert len(keys) == len(set(keys))


def test_explain_tells_what_is_opened_and_published(net: nn.Module) -> None:
    with ThreadEngine() as session:
        model = model_of(session, net)
        x = images(3, 8, 8, batch=5)
        logits = model.predict(x, owner="bob").explain(to="bob")
        label = model.predict(x, owner="bob", output="label").explain(to="bob")
        checked = model_of(session, net, bound=16.0, weight_gain=256.0).predict(x, owner="bob").explain(to="bob")
    assert "5 images in 3 batches" in logits
    assert "opened to bob: logits (2x5), error at most" in logits
    assert "published by alice about its weights: bounds of its layers' values, 2^" in logits
    assert "opened to bob: label (2)" in label
    assert "logits (" not in label
    assert "leads by more than" in label
    assert "about its weights" not in checked
    assert "checked by alice itself: weights behind one output sum up to 2^8 at most" in checked
    assert "fractional bits: 16 of activations; of weights, by layer, 30, 30" in logits
    assert "expected, for images like alice's samples: " in logits


def test_no_weight_and_no_image_in_a_repr(net: nn.Module) -> None:
    with ThreadEngine() as session:
        model = model_of(session, net)
        prediction = model.predict(images(3, 8, 8), owner="bob")
        assert repr(model) == "<SecureModel of alice: (3, 8, 8) to (5,)>"
        assert repr(prediction).startswith("<prediction of logits for 2 images, error at most")
        assert "array" not in repr(model._compiled)


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (np.zeros((2, 8, 8, 3)), ShapeError, r"\(n, 3, 8, 8\).*\(2, 8, 8, 3\)"),
        (np.zeros((3, 8, 8)), ShapeError, r"\(3, 8, 8\)"),
        (np.zeros((0, 3, 8, 8)), ShapeError, "n > 0"),
        ([[1.0]], ShapeError, r"item 0 is \(1,\)"),
        (np.zeros((1, 3, 8, 8), dtype=object), ShapeError, "dtype object"),
        (np.zeros((1, 3, 8, 8), dtype=complex), ShapeError, "dtype complex"),
        (np.full((1, 3, 8, 8), np.nan), NullError, "images"),
        (np.full((1, 3, 8, 8), -np.inf), NullError, "images"),
        (np.full((1, 3, 8, 8), 8.001), BoundError, r"images.*2\^3"),
        (np.full((1, 3, 8, 8), 9), BoundError, r"images.*2\^3"),
        (np.ma.masked_array(np.zeros((1, 3, 8, 8)), mask=True), NullError, "masked"),
        (torch.zeros(1, 3, 8, 8).to_sparse(), UnsupportedError, "sparse"),
        (torch.zeros(1, 3, 8, 8, device="meta"), InputError, "meta"),
    ],
)
def test_bad_images_are_refused_before_anything_is_shared(model: SecureModel, x, error, match: str) -> None:
    jobs = model._session.jobs
    before = len(jobs)
    with pytest.raises(error, match=match):
        model.predict(x, owner="bob")
    assert len(jobs) == before


def test_images_of_any_number_type(net: nn.Module) -> None:
    whole = torch.randint(-8, 9, (2, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    kinds = [
        whole,
        whole.half(),
        whole.to(torch.bfloat16),
        whole.numpy().astype(np.int8),
        whole.double().numpy()[:, ::1],
    ]
    with ThreadEngine() as session:
        model = model_of(session, net)
        for x in kinds:
            np.testing.assert_allclose(
                model.predict(x, owner="bob").reveal(), plain(net, whole.float()), atol=model.error
            )


def test_unknown_names_are_refused(net: nn.Module) -> None:
    x = images(3, 8, 8)
    with Watched(owners=("dora",)) as session:
        with pytest.raises(OwnerError, match="'dora' is none of alice, bob"):
            SecureModel(session, net, "dora", (x,))
        model = model_of(session, net)
        with pytest.raises(OwnerError, match="'eve' is not in the session"):
            model.predict(x, owner="eve")
        with pytest.raises(OwnerError, match="recipient 'eve'"):
            model.predict(x, owner="bob").reveal(to="eve")
        with pytest.raises(InputError, match="'above', not 'scores'"):
            model.predict(x, owner="bob", output="scores")
        assert not session.jobs


def test_a_closed_session_is_refused(net: nn.Module) -> None:
    session = ThreadEngine()
    prediction = model_of(session, net).predict(images(3, 8, 8), owner="bob")
    session.close()
    with pytest.raises(SessionClosed):
        prediction.reveal(to="bob")


def test_the_owner_checks_its_weights_against_the_gain(net: nn.Module) -> None:
    with torch.no_grad():
        net[4].weight[2, 7] = 17.0
    with Watched() as session:
        with pytest.raises(BoundError, match=r"layer '4': its weights.*2\^4") as caught:
            model_of(session, net, bound=16.0, weight_gain=16.0)
        assert caught.value.where["module"] == "4"
        model_of(session, net, bound=16.0, weight_gain=32.0)
        with torch.no_grad():
            net[0].bias[1] = -40.0
        with pytest.raises(BoundError, match=r"layer '0': its bias.*2\^5"):
            model_of(session, net, bound=16.0, weight_gain=32.0)
        assert not session.jobs


@pytest.mark.parametrize("name", ["input_bound", "bound", "weight_gain", "margin"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "wide", True, torch.ones(2)])
def test_bounds_are_positive_numbers(net: nn.Module, name: str, value) -> None:
    with ThreadEngine() as session, pytest.raises(BoundError, match=f"{name} is a positive number"):
        model_of(session, net, **{name: value})


def test_an_input_bound_beyond_the_ring_is_refused(net: nn.Module) -> None:
    with ThreadEngine() as session, pytest.raises(BoundError, match="input images"):
        model_of(session, net, input_bound=2.0**40)


@pytest.mark.slow
def test_unsupported_layers_are_named(net: nn.Module) -> None:
    net.append(nn.BatchNorm1d(5, track_running_stats=False).eval())
    with Watched() as session:
        model = model_of(session, net)
        (finding,) = model.preflight()
        assert (finding.module, "batch_norm" in finding.op) == ("5", True)
        assert str(finding) == str(model.preflight())
        for use in (
            lambda: model.predict(images(3, 8, 8), owner="bob"),
            lambda: model.error,
            lambda: model.expected_error,
            lambda: model.input_shape,
        ):
            with pytest.raises(UnsupportedError, match="statistics of the batch"):
                use()
        model.close()
        assert repr(model) == "<SecureModel of alice: not supported>"
        assert not session.jobs


def test_a_label_needs_classes() -> None:
    with ThreadEngine() as session:
        model = SecureModel(session, nn.ReLU().eval(), "alice", (images(3, 4, 4),))
        with pytest.raises(UnsupportedError, match="one axis of classes"):
            model.predict(images(3, 4, 4), owner="bob", output="label")


def test_preflight_says_what_a_prediction_takes_where_nothing_stands_in_the_way(net: nn.Module) -> None:
    with ThreadEngine() as session:
        found = model_of(session, net).preflight()
    assert found == ()
    first, second, *rest = str(found).splitlines()
    assert re.match(r"a batch of 2 images: \d+ rounds, at most .* sent by a party, .* dealt", first)
    assert re.match(r"about .* s a batch, .* images/s in a lane", second)
    assert [line.partition(":")[0] for line in rest] == [
        "fractional bits", "published by alice", "expected, for images like alice's samples"
    ]  # fmt: skip
