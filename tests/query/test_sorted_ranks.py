"""Order statistics of rows by keys on shares: those of each key's values; what a party sees depends on neither."""

from fractions import Fraction

import numpy as np
import pytest

from icm_ray.ops.linear import Concatenate, Input, Reshape, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.query.sorted_ranks import RanksByKey, ends_of, in_order
from icm_ray.query.statistics.ranks import Rank, reached
from icm_ray.transport import Transcript
from tests.query.test_sorted_sums import KEYS
from tests.security.test_transcripts import outline
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol")
RNG = np.random.default_rng(5)
VALUES = RNG.integers(-5, 6, 12)
WANTED = [(0, 1, 2), (99, 3, 50), (None, 0, None)]
RANKS = [Rank(Fraction(0), "lower"), Rank(Fraction(1, 2), "lower"), Rank(Fraction(1, 2), "higher"),
         Rank(Fraction(1, 3), "nearest"), Rank(Fraction(9, 10), "higher"), Rank(Fraction(1), "lower")]  # fmt: skip


def ranked(builder, rows, ranks=RANKS):
    return rows.at([lambda count, rank=rank: reached(builder, count, rank, 12) for rank in ranks])


ASKED = {
    "counts": (lambda builder, rows: rows.counts(), len),
    "least": (lambda builder, rows: rows.least(), lambda found: min(found, default=None)),
    "largest": (lambda builder, rows: rows.largest(), lambda found: max(found, default=None)),
    "distinct": (lambda builder, rows: rows.distinct(), lambda found: len(set(found))),
}


def run(ask, wanted, keys, values, width=5, parties=2, transcript=None):
    names = NAMES[:parties]
    builder = Builder(names)
    key = builder.add(Input(names[0], "key", ValueType(shape=keys.shape, width=8)))
    value = builder.add(Input(names[1], "value", ValueType(shape=values.shape, width=width)))
    table = (
        in_order(builder, key, value, ends)
        if (ends := ends_of(wanted))
        else builder.add(Reshape((len(keys), 1)), value)
    )
    builder.add(Reveal(names[0], "found"), ask(builder, RanksByKey(builder, table, wanted, width)))
    brought = {names[0]: {"key": keys.astype(np.uint64)}, names[1]: {"value": values.view(np.uint64)}}
    with ThreadLane(names, transcript=transcript) as lane:
        return lane.run(builder.build(), brought)[names[0]].results["found"].view(np.int64)


def of_keys(keys, values, wanted):
    return [sorted(values[keys == key].tolist()) if key is not None else [] for key in wanted]


@pytest.mark.parametrize("width", [5, 55], ids=["key and value in one word", "value, then key"])
@pytest.mark.parametrize("wanted", WANTED, ids=str)
@pytest.mark.parametrize("how", ["few", "some beyond"])
@pytest.mark.few(6)
def test_order_statistics_of_keys(how, wanted, width):
    keys, low = KEYS[how], -(1 << (width - 1))
    groups = of_keys(keys, VALUES, wanted)

    def ask(builder, rows):
        found = [made(builder, rows) for made, _ in ASKED.values()]
        flat = [builder.add(Reshape((1, len(wanted))), value) for value in found]
        return builder.add(Concatenate(), *flat, ranked(builder, rows))

    found = run(ask, wanted, keys, VALUES, width).tolist()
    for row, (_, plain) in zip(found, ASKED.values(), strict=False):
        assert row == [low if plain(group) is None else plain(group) for group in groups]
    for row, rank in zip(found[len(ASKED) :], RANKS, strict=True):
        assert row == [group[rank.among(len(group))] if group else low for group in groups]


def test_of_one_row_and_of_no_key_that_a_row_has():
    one = np.array([3]), np.array([-4])
    assert run(ranked, (3, 4), *one).tolist() == [[-4, -16]] * len(RANKS)
    for name, wanted in (("counts", [0, 0]), ("least", [-16, -16]), ("largest", [-16, -16]), ("distinct", [0, 0])):
        assert run(ASKED[name][0], (None, None), *one).tolist() == wanted
    assert run(ranked, (None, None), *one).tolist() == [[-16, -16]] * len(RANKS)


@pytest.mark.parametrize("name", [*ASKED, "ranks"])
def test_nothing_that_a_party_sees_depends_on_keys_or_values(name):
    """Sizes, order and number of all frames; what is opened in between are orders of shuffled rows."""
    ask, seen = ranked if name == "ranks" else ASKED[name][0], set()
    for how in ("one", "each its own", "some beyond", "all beyond"):
        transcript = Transcript()
        run(ask, (0, 1, 3), KEYS[how], VALUES * (KEYS[how].sum() > 70), 5, 3, transcript)
        seen.add(str(outline(transcript, (*NAMES, "dealer"))))
    assert len(seen) == 1
