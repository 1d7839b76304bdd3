"""Sums of rows by keys on shares: numpy's, and nothing that a party sees depends on which rows have which keys."""

import numpy as np
import pytest

from icm_ray.errors import BoundExceeded
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.query.sorted_sums import sums_at, sums_by_key
from icm_ray.transport import Transcript
from tests.security.test_transcripts import outline
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol")
BEYOND = 100
RNG = np.random.default_rng(4)
KEYS = {
    "one": np.zeros(12, np.int64),
    "each its own": RNG.permutation(12),
    "few": RNG.integers(0, 3, 12),
    "in order": np.repeat([0, 7, 99], 4),
    "some beyond": np.where(np.arange(12) % 3, RNG.integers(0, 5, 12), BEYOND),
    "all beyond": np.full(12, BEYOND),
}
VALUES = RNG.integers(-1000, 1000, (12, 2))


def run(write, keys, values, parties=2, transcript=None):
    """What `write` makes of the shared keys and values."""
    names = NAMES[:parties]
    builder = Builder(names)
    key = builder.add(Input(names[0], "key", ValueType(shape=keys.shape, width=8)))
    table = builder.add(Input(names[1], "values", ValueType(shape=values.shape, width=11)))
    builder.add(Reveal(names[0], "found"), write(builder, key, table))
    brought = {names[0]: {"key": keys.astype(np.uint64)}, names[1]: {"values": values.view(np.uint64)}}
    with ThreadLane(names, transcript=transcript) as lane:
        return lane.run(builder.build(), brought)[names[0]].results["found"].view(np.int64)


def by_key(keys, values):
    """The rows that are wanted: keys in order, their sums, without the one beyond all."""
    return [[key, *values[keys == key].sum(axis=0)] for key in np.unique(keys)]


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("how", KEYS)
@pytest.mark.few(6)
def test_sums_by_key(how, parties):
    keys = KEYS[how]
    wanted = by_key(keys, VALUES)
    for places in (12, len(wanted)):
        found = run(lambda *given: sums_by_key(*given, places, BEYOND), keys, VALUES, parties).tolist()  # noqa: B023
        assert found[: len(wanted)] == wanted
        assert found[len(wanted) :] == [[BEYOND, 0, 0]] * (places - len(wanted))
    one = run(lambda *given: sums_by_key(*given, 1, BEYOND), keys[:1], VALUES[:1], parties)
    assert one.tolist() == [[keys[0], *VALUES[0]]]


def test_more_keys_than_there_is_room_for_are_told_and_nothing_else():
    with pytest.raises(BoundExceeded, match="max_groups"):
        run(lambda *given: sums_by_key(*given, 11, BEYOND), KEYS["each its own"], VALUES)


@pytest.mark.parametrize("how", KEYS)
@pytest.mark.parametrize("wanted", [(0, 1, 2), (7, 99, 3), (50,), (None, 0, None), (None,)], ids=str)
@pytest.mark.few(10)
def test_sums_at_stated_keys(how, wanted):
    keys = KEYS[how]
    found = run(lambda *given: sums_at(*given, wanted), keys, VALUES)
    assert found.tolist() == [[0, 0] if key is None else VALUES[keys == key].sum(axis=0).tolist() for key in wanted]


def test_a_program_has_no_node_for_each_key_that_is_wanted():
    def nodes(wanted):
        builder = Builder(NAMES)
        key = builder.add(Input("alice", "key", ValueType(shape=(9,), width=8)))
        table = builder.add(Input("bob", "values", ValueType(shape=(9, 2), width=11)))
        builder.add(Reveal("alice", "found"), sums_at(builder, key, table, wanted))
        return len(builder.build().nodes)

    assert nodes([None, 5, 0]) == nodes([*range(100, 0, -2), None, *range(1, 100, 2)])


@pytest.mark.parametrize("write", [lambda *g: sums_by_key(*g, 12, BEYOND), lambda *g: sums_at(*g, (3, 1))])
def test_nothing_that_a_party_sees_depends_on_keys(write):
    """Sizes, order and number of all frames; what is opened in between are orders of shuffled rows."""
    seen = set()
    for keys in KEYS.values():
        transcript = Transcript()
        run(write, keys, VALUES * (keys.sum() > 5), 3, transcript)
        seen.add(str(outline(transcript, (*NAMES, "dealer"))))
    assert len(seen) == 1
