"""One image beyond a bound is named, or left out; the others' results are kept."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from icm_ray.errors import BoundError, BoundExceeded, NullError, ShapeError

GOOD = np.array([[0.5, 1.0], [2.0, 3.5], [1.0, 0.0], [3.0, 3.0], [0.25, 1.5], [1.0, 1.0]])


def beyond(*rows):
    """... of which these are beyond the bound that is checked on shares."""
    images = GOOD.copy()
    images[list(rows), 0] = 1000.0
    return images


@pytest.mark.parametrize("rows", [[5], [0, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5]])
@pytest.mark.few(2)
def test_the_others_are_kept(checked, rows):
    prediction = checked.predict(beyond(*rows), owner="bob", errors="mask")
    result, expected = prediction.reveal(to="bob"), GOOD.copy()
    expected[rows] = np.nan
    np.testing.assert_allclose(result, expected, atol=prediction.error)
    assert prediction.failed.tolist() == rows
    again = checked.predict(GOOD, owner="bob", errors="mask")
    np.testing.assert_allclose(again.reveal(), GOOD, atol=again.error)
    assert not again.failed.size


def test_labels_of_images_that_failed_are_none(checked):
    prediction = checked.predict(beyond(1, 4)[:, ::-1], owner="bob", output="label", errors="mask")
    labels = prediction.reveal()
    assert labels[[1, 4]].tolist() == [-1, -1]
    assert labels[[0, 2, 5]].tolist() == [0, 1, 0]


def test_the_batch_is_named_and_those_before_it_are_handed_over(checked):
    prediction = checked.predict(beyond(4), owner="bob")
    handed = []
    with pytest.raises(BoundExceeded, match=r"images 4 to 5, batch 1; errors='mask'"):
        handed.extend(prediction.iter_batches())
    with pytest.raises(BoundExceeded, match="withheld"):
        prediction.reveal()
    assert [batch["row"].tolist() for batch in handed] == [[0, 1, 2, 3]]  # though the second may fail first
    np.testing.assert_allclose(checked.predict(GOOD, owner="bob").reveal(), GOOD, atol=checked.error)


def unreadable():
    yield from np.tile(GOOD, (3, 1))
    raise OSError("a user's own disk")


LATE = {
    "an image beyond the bound": (lambda: iter([*np.tile(GOOD, (3, 1)), [2000.0, 1.0]]), BoundError),
    "another shape": (lambda: iter([*np.tile(GOOD, (3, 1)), np.ones(3)]), ShapeError),
    "a source that fails": (unreadable, OSError),
}


@pytest.mark.parametrize("name", LATE)
@pytest.mark.parametrize("errors", ["raise", "mask"])
def test_what_was_read_before_it_is_handed_over(checked, name, errors):
    source, error = LATE[name]
    batches, handed = checked.predict(source(), owner="bob", errors=errors).iter_batches(), []
    masked = errors == "mask" and error is BoundError
    with nullcontext() if masked else pytest.raises(error):
        handed.extend(batches)
    assert [len(batch["row"]) for batch in handed] == ([4] * 4 + [3] if masked else [4] * 4)


UNFIT = {
    "NaN": (np.nan, NullError, "NaN"),
    "infinite": (-np.inf, NullError, "infinite"),
    "large": (2000.0, BoundError, r"2\^10"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_cannot_be_shared_is_named_or_left_out(checked, lanes, name):
    value, error, match = UNFIT[name]
    images = GOOD.copy()
    images[4, 1] = value
    before = len(lanes.jobs)
    with pytest.raises(error, match=rf"{match}.*\(image 4\)") as caught:
        checked.predict(images, owner="bob")
    assert caught.value.where["row"] == 4
    assert len(lanes.jobs) == before
    with pytest.raises(error, match=r"\(image 4, in batch 1\)"):
        checked.predict(iter(images), owner="bob").reveal()
    for source in (images, iter(images)):
        prediction = checked.predict(source, owner="bob", errors="mask")
        result = prediction.reveal()
        assert prediction.failed.tolist() == [4]
        assert np.isnan(result[4]).all()
        np.testing.assert_allclose(np.delete(result, 4, 0), np.delete(GOOD, 4, 0), atol=prediction.error)


def test_a_source_of_which_nothing_can_be_shared(checked, lanes):
    before = len(lanes.jobs)
    prediction = checked.predict(np.full((6, 2), np.nan), owner="bob", output="label", errors="mask")
    assert prediction.reveal().tolist() == [-1] * 6
    assert prediction.failed.tolist() == list(range(6))
    assert len(lanes.jobs) == before


def test_it_is_said_what_the_parties_learn(checked):
    assert "the parties see how many" in checked.predict(GOOD, owner="bob", errors="mask").explain()
    assert "the parties see how many" not in checked.predict(GOOD, owner="bob").explain()
