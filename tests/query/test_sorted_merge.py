"""Left rows get what right rows of their key have, on shares; nothing that a party sees depends on which rows meet."""

import numpy as np
import pytest

from icm_ray.errors import BoundError, BoundExceeded
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.query.sorted_merge import merged_sides
from icm_ray.transport import Transcript
from tests.security.test_transcripts import outline
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol")
RNG = np.random.default_rng(7)
LEFT = {
    "all": RNG.integers(0, 6, 11),
    "none": RNG.integers(50, 60, 11),
    "some": RNG.integers(0, 12, 11),
    "one key": np.full(11, 3),
    "below": np.zeros(11, np.int64),
}
RIGHT = np.array([5, 3, 1, 4, 2, 0])
VALUES = RNG.integers(-1000, 1000, (6, 2))


def run(left, right, values, groups=None, parties=2, transcript=None):
    """(met, words) of each left row, and first where there are groups. left, right: keys (rows, words)."""
    names = NAMES[:parties]
    builder = Builder(names)
    table = np.concatenate([right, values], axis=1)
    brought = {name: {} for name in names}

    def given(owner, name, array, width):
        brought[owner][name] = array.astype(np.int64).view(np.uint64)
        return builder.add(Input(owner, name, ValueType(shape=array.shape, width=width)))

    group = None if groups is None else given(names[0], "groups", groups.reshape(-1, 1), 5)
    widths = (8,) * left.shape[1]
    made = merged_sides(builder, given(names[0], "left", left, 8), given(names[1], "right", table, 12), widths, group)
    kept = {"met": made.met, "words": made.words, **({} if made.first is None else {"first": made.first})}
    for name, value in kept.items():
        builder.add(Reveal(names[0], name), value)
    with ThreadLane(names, transcript=transcript) as lane:
        found = lane.run(builder.build(), brought)[names[0]].results
    return {name: found[name].view(np.int64) for name in kept}


def column(keys):
    return keys.reshape(-1, 1)


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("how", LEFT)
def test_rows_get_what_right_rows_of_their_key_have(how, parties):
    left, groups = LEFT[how], np.arange(11) % 3 + 1
    found = run(column(left), column(RIGHT), VALUES, groups, parties)
    met = np.isin(left, RIGHT)
    assert found["met"].ravel().tolist() == met.tolist()
    at = dict(zip(RIGHT.tolist(), VALUES.tolist(), strict=True))
    assert found["words"][met].tolist() == [at[key] for key in left[met].tolist()]
    first, pairs = found["first"].ravel(), list(zip(left[met].tolist(), groups[met].tolist(), strict=True))
    assert not first[~met].any()
    assert sorted(pair for pair, bit in zip(pairs, first[met], strict=True) if bit) == sorted(set(pairs))


def test_keys_of_two_words_meet_where_both_do():
    left = np.array([[0, 5], [0, 0], [1, 0], [1, 5], [2, 9], [0, 5], [7, 1]])
    right = np.array([[1, 5], [0, 5], [2, 0], [7, 0], [0, 9]])
    found = run(left, right, np.arange(5).reshape(5, 1))
    assert found["met"].ravel().tolist() == [1, 0, 0, 1, 0, 1, 0]
    assert found["words"][[0, 3, 5]].ravel().tolist() == [1, 0, 1]
    with pytest.raises(BoundExceeded, match="more than one row on the right side of a merge"):
        run(left, np.array([[1, 5], [0, 4], [1, 5]]), np.arange(3).reshape(3, 1))


@pytest.mark.parametrize("sizes", [(1, 1), (1, 5), (5, 1)])
def test_few_rows(sizes):
    left, right = (np.arange(size) for size in sizes)
    found = run(column(left), column(right), column(right * 7), np.ones(len(left)))
    assert found["met"].ravel().tolist() == [int(key < len(right)) for key in left]
    assert found["words"][: len(right)].ravel().tolist() == [7 * key for key in left if key < len(right)]
    assert found["first"].ravel().tolist() == found["met"].ravel().tolist()


def test_two_right_rows_of_a_key_are_told_and_nothing_else():
    with pytest.raises(BoundExceeded, match="Swap the frames"):
        run(column(LEFT["none"]), column(np.array([5, 3, 1, 4, 3, 0])), VALUES)


def test_keys_that_no_word_holds_are_refused():
    builder = Builder(NAMES)
    tables = [builder.add(Input("alice", name, ValueType(shape=(9, 1), width=61))) for name in ("left", "right")]
    with pytest.raises(BoundError, match="do not fit"):
        merged_sides(builder, *tables, (61,))


def test_nothing_that_a_party_sees_depends_on_which_rows_meet():
    """Sizes, order and number of all frames; what is opened in between are orders of shuffled rows, and a flag of 0."""
    seen = set()
    for keys in LEFT.values():
        transcript = Transcript()
        run(column(keys), column(RIGHT), VALUES * (keys.sum() > 5), np.arange(11) % 2 + 1, 3, transcript)
        seen.add(str(outline(transcript, (*NAMES, "dealer"))))
    assert len(seen) == 1
