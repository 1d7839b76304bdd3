"""Every correction is a one-time pad, and every share of zero does its work: on the real ring, for every operation.

For each dealt tag, changing the honest party's words of that tag alone (everything else equal) must leave every opened
total and every other correction as it was, and must change the correction of the tag by exactly that difference. Hence,
with that party's words uniform, the corrections that a coalition sees are uniform, independent of each other, of all
that is opened and of the inputs. Checked for every case of tests/protocols/cases.py, every dealt tag, 2 and 3 parties.
"""

import numpy as np
import pytest

from icm_ray.ops.compare import CheckFlag
from icm_ray.ops.linear import Reveal
from icm_ray.ops.seams import SECOND
from icm_ray.ops.smooth import Piecewise
from icm_ray.ops.values import Kind, ValueType
from icm_ray.ops.wide import SquareParts, Widen, WideProduct
from icm_ray.ring.narrow import narrowed, widened
from icm_ray.ring.wide import LIMBS_OF_DOUBLES, LIMBS_OF_INTEGERS, from_integers, to_integers
from tests.protocols.cases import CASES, Case
from tests.security.bench import Streams, play

NAMES = ("alice", "bob", "carol")
WIDE, WIDEST = (
    ValueType(kind=Kind.WIDE, shape=(3,), width=100, limbs=limbs) for limbs in (LIMBS_OF_INTEGERS, LIMBS_OF_DOUBLES)
)
ALL = [
    *CASES,
    Case("widen", Widen(), (ValueType(shape=(9,), width=63),)),
    Case("widen_far", Widen(LIMBS_OF_DOUBLES), (ValueType(shape=(9,), width=63),)),
    Case("square_parts", SquareParts(19), (ValueType(shape=(70,), width=38),)),
    Case(
        "piecewise",
        Piecewise(10, 4, 2, ((1, 2), (3, 4), (5, 6), (-7, 8)), 4, 3, 32, 20, 0.01),
        (ValueType(shape=(70,), width=10),),
    ),
    Case("wide_product", WideProduct(), (WIDE, WIDE)),
    Case("widest_product", WideProduct(), (WIDEST, WIDEST)),
]


def words_of(case, rng):
    drawn = []
    for kind in case.types:
        shape = (*kind.shape, kind.limbs) if kind.kind is Kind.WIDE else kind.shape
        drawn.append(rng.integers(0, 2**64, shape, dtype=np.uint64) if kind.kind is Kind.WIDE else case.draw(rng, kind))
    return drawn


def shared(values, parties, rng):
    """Additive shares; in wide rings for arrays with limbs only where no test looks at the result."""
    shares = {name: [] for name in parties}
    for value in values:
        rest = value.copy()
        for name in parties[1:]:
            share = rng.integers(0, 2**64, value.shape, dtype=np.uint64)
            shares[name].append(share)
            rest = rest - share
        shares[parties[0]].append(rest)
    return shares


def totals(played):
    """Sum and XOR of each opening, and sums of words of fewer bytes than memory's: of these, the one that the protocol
    takes depends on masks and inputs alone."""
    found = []
    for index, messages in enumerate(played.rounds):
        for part in range(len(next(iter(messages.values())))):
            total = [played.opened(index, how, part) for how in "+^"]
            sent = [parts[part].reshape(-1).view(np.uint8) for parts in messages.values()]
            sizes = [size for size in range(2, 8) if sent[0].size % size == 0 and total[0].dtype == np.uint8]
            sums = [sum(widened(raw, size, np.uint64) for raw in sent) for size in sizes]
            found.append([*total, *(narrowed(words, size).tobytes() for words, size in zip(sums, sizes, strict=True))])
    return found


def same_openings(a, b):
    return all(
        any(np.array_equal(total, other) for total, other in zip(one, two, strict=True))
        for one, two in zip(totals(a), totals(b), strict=True)
    )


def difference(x, y, limbs=1):
    """x - y as numbers of their ring, and as bits."""
    if limbs == 1:
        return x - y, x ^ y
    rows = zip(to_integers(x.reshape(-1, limbs)), to_integers(y.reshape(-1, limbs)), strict=True)
    return from_integers((a - b for a, b in rows), limbs).reshape(-1), x ^ y


def narrow_difference(x, y, size):
    """x - y of words of so many bytes, as bytes."""
    x, y = (widened(words.view(np.uint8), size, np.uint64) for words in (x, y))
    return narrowed(x - y, size).tobytes()


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
@pytest.mark.few(100)
def test_dealt_words_are_one_time_pads(case, n):
    parties, rng = NAMES[:n], np.random.default_rng(n)
    shares = shared(words_of(case, rng), parties, rng)
    for corrected in range(n):
        base = {name: Streams(name) for name in parties}
        before = play(case.op, case.types, shares, base, corrected)
        for tag, correction in before.corrections.items():
            honest = parties[(corrected + 1 + (tag >= SECOND)) % n]  # the party after the one that is corrected
            changed = {**base, honest: Streams(honest, salts={tag: 1})}
            after = play(case.op, case.types, shares, changed, corrected)
            assert same_openings(before, after), f"an opening depends on dealt words of tag {tag}"
            for other, words in before.corrections.items():
                assert other == tag or np.array_equal(words, after.corrections[other])
            old, new = (
                s[honest].words(corrected, tag, correction.size, correction.dtype.type) for s in (base, changed)
            )
            assert not np.array_equal(correction, after.corrections[tag])
            unmasked = f"the correction of tag {tag} is not masked by the honest party's word"
            if (size := before.sizes.get(tag)) is not None:
                assert narrow_difference(correction, after.corrections[tag], size) == narrow_difference(
                    new, old, size
                ), unmasked
                continue
            limbs = case.op.infer(*case.types).limbs
            moved = difference(correction, after.corrections[tag], limbs)
            flat = difference(correction, after.corrections[tag])
            wanted = difference(new, old, limbs)
            plain = difference(new, old)
            assert (
                np.array_equal(moved[0], wanted[0])
                or np.array_equal(flat[0], plain[0])
                or np.array_equal(flat[1], plain[1])
            ), unmasked


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
@pytest.mark.few(100)
def test_every_message_moves_with_the_honest_masks(case, n):
    """With fresh streams of the honest party alone, all that it sends is fresh: no word of a message stays as it was,
    beyond the chance of 2^-(bits of the message)."""
    parties, rng = NAMES[:n], np.random.default_rng(n)
    shares = shared(words_of(case, rng), parties, rng)
    for honest in parties:
        base = {name: Streams(name) for name in parties}
        before = play(case.op, case.types, shares, base, 0)
        after = play(case.op, case.types, shares, {**base, honest: Streams(honest, salts={None: 1})}, 0)
        for one, two in zip(before.rounds, after.rounds, strict=True):
            for (sender, receiver), parts in one.items():
                for old, new in zip(parts, two[sender, receiver], strict=True):
                    if sender == honest and old.size >= 8:
                        bits = np.unpackbits(np.ascontiguousarray(old ^ new).view(np.uint8))
                        spread = 6 * np.sqrt(bits.size) / 2  # six standard deviations: 2e-9
                        assert abs(bits.sum() - bits.size / 2) <= spread


def test_a_recipient_learns_the_sum_and_no_one_s_part():
    """Three parties, the recipient holding its own share and its two pairwise keys: for every split of the same value
    between the others, all 2^8 values (modulo 2^8) of their pairwise key give it the same set of messages."""
    kind, op = ValueType(shape=(256,), width=30), Reveal("alice", "y")
    pads = np.arange(256, dtype=np.uint64)
    seen = []
    for part in (0, 1, 77, 255, 2**40 + 9):
        bob, carol = np.full(256, part, np.uint64), np.full(256, 1000, np.uint64) - np.uint64(part)
        between = Streams("bob-carol", {1: pads})
        still = {name: Streams(f"alice-{name}", still=True) for name in ("bob", "carol")}
        keys = {
            "alice": still,
            "bob": {"alice": still["bob"], "carol": between},
            "carol": {"alice": still["carol"], "bob": between},
        }
        shares = {"alice": [np.zeros(256, np.uint64)], "bob": [bob], "carol": [carol]}
        played = play(op, [kind], shares, {name: Streams(name) for name in NAMES}, keys=keys)
        (messages,) = played.rounds
        assert {receiver for _, receiver in messages} == {"alice"}
        got = [(messages[name, "alice"][0] & np.uint64(255)).astype(np.uint8) for name in ("bob", "carol")]
        assert len(set(got[0].tolist())) == 256
        seen.append(sorted(zip(got[0].tolist(), got[1].tolist(), strict=True)))
    assert all(view == seen[0] for view in seen)


def test_a_guard_opens_the_flag_and_no_one_s_part():
    """The same for the flag that a guard opens to all: what alice sees of bob and carol depends on the flag alone."""
    kind, flag = ValueType(shape=(1,), width=30), ValueType(shape=(1,), width=2)
    seen = []
    for part in (0, 1, 77):
        view = []
        for pad in range(256):
            between = Streams("bob-carol", {0: np.array([pad], np.uint64)})
            still = {name: Streams(f"alice-{name}") for name in ("bob", "carol")}
            keys = {
                "alice": still,
                "bob": {"alice": still["bob"], "carol": between},
                "carol": {"alice": still["carol"], "bob": between},
            }
            parts = {"alice": 0, "bob": part, "carol": -part % 2**64}
            shares = {name: [np.ones(1, np.uint64), np.array([value], np.uint64)] for name, value in parts.items()}
            played = play(CheckFlag("x"), [kind, flag], shares, {name: Streams(name) for name in NAMES}, keys=keys)
            (messages,) = played.rounds
            view.append(tuple(int(messages[name, "alice"][0][0]) % 256 for name in ("bob", "carol")))
        seen.append(sorted(view))
    assert all(view == seen[0] for view in seen)
    assert len({first for first, _ in seen[0]}) == 256
