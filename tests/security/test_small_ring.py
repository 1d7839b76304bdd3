"""What coalitions of n - 1 parties see on an 8-bit ring, exhaustively.

A coalition sees its own streams, the corrections (if it holds the corrected party), and all messages of the one honest
party; given its own streams, the messages are the opened totals in other words, so it is these that are counted.

Shown here, for 2 and 3 parties, for every choice of the honest and of the corrected party:

1.  (`test_openings_...`) For each input of the whole range, with the coalition's streams and input shares held fixed
and
    *all* values of the honest party's masks enumerated (the 8-bit mask r, the tree's mask bits, the bit s), every tuple
    of opened totals occurs exactly equally often. So the openings are uniform, jointly, whatever the input is.
2.  (`test_dealt_words_...`, in test_one_time_pads.py, for every operation on the real ring) The opened totals do not
    depend on the honest party's words of dealt streams, and each correction is a function of the masks minus (or XOR)
    the honest party's word of that very tag, which occurs in nothing else. Given 1, corrections are therefore uniform
    and independent of the openings and of the input.

1 and 2 together are the claim: the joint distribution of all that a coalition sees is the same for every input.

Masks of 64 bits (products, selected values) are looked at modulo 2^4 or 2^8: Z_2^64 -> Z_2^k is a ring homomorphism and
what is opened there is computed by ring operations alone, so the low bits' joint distribution is enumerated exactly;
the bits above are not. Trees of more than one level are too large for an 8-bit mask beside them: there (x, r) is held
fixed at many values, and all values of the tree's masks are enumerated for each, which gives the same for every r,
so jointly.
"""

import itertools

import numpy as np
import pytest

from icm_ray.ops.compare import AtLeast, CountAtLeast, Maximum, Select
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.groups import GroupCount, GroupSum, GroupTable
from icm_ray.ops.products import Epilogue, OwnedProduct, Product, Relu, SumOfSquares, Truncate
from icm_ray.ops.tree import tree_of, tree_shape
from icm_ray.ops.values import ValueType
from icm_ray.protocols.table import TABLE
from tests.security.bench import Sent, Streams, element_bits, planes, play, split

NAMES = ("alice", "bob", "carol")
CONFIGS = [(n, honest, corrected) for n in (2, 3) for honest in range(n) for corrected in range(n)]
every_coalition = pytest.mark.parametrize(("n", "honest", "corrected"), CONFIGS)


class Enumeration:
    """Elements for every (input, value of the honest masks): the input is the slow index."""

    def __init__(self, inputs, mask_bits):
        self.inputs, self.combos = len(inputs), 1 << mask_bits
        self.values = np.repeat(np.array(inputs, np.int64), self.combos, axis=0).view(np.uint64)
        self._masks = np.tile(np.arange(self.combos, dtype=np.uint64), self.inputs)
        self._at = 0

    @property
    def count(self):
        return self.values.shape[0]

    def word(self, bits, dtype=np.uint64):
        """The next `bits` mask bits as a word."""
        self._at += bits
        return ((self._masks >> np.uint64(self._at - bits)) & np.uint64((1 << bits) - 1)).astype(dtype)

    def bits(self, k):
        """The next k mask bits as bits (count, k)."""
        word = self.word(k).astype("<u8")
        return np.unpackbits(word.view(np.uint8).reshape(-1, 8), axis=1, count=k, bitorder="little")

    def assert_uniform(self, seen):
        """seen: arrays (count,) or (count, k) of bits or bytes, and how many bits each has: 2^mask_bits tuples, each
        once.
        """
        code = np.zeros(self.count, np.int64)
        for words, size in seen:
            columns = words.reshape(self.count, -1)
            for column in range(columns.shape[1]):
                code = (code << size) | columns[:, column].astype(np.int64)
        code = code.reshape(self.inputs, self.combos)
        kinds = 1 << sum(size * words.reshape(self.count, -1).shape[1] for words, size in seen)
        assert kinds <= self.combos, "more is opened than is masked"
        for row in code:
            assert (np.bincount(row, minlength=kinds) == self.combos // kinds).all()


def streams_of(parties, honest, chosen, bits, seed=0):
    return {
        name: Streams(name, chosen if name == honest else None, {None: seed}, still=True, bits=bits) for name in parties
    }


def operation_for(corrected, n):
    return corrected + n  # the operation whose corrections go to that party


def elementwise(op, kinds, columns, n, honest, corrected, chosen, bits=(), store=None):
    """Play with everyone's streams still but the honest party's chosen ones; input shares of the others are
    constants.
    """
    parties, name = NAMES[:n], NAMES[honest]
    given = [split(column, parties, name, seed=index) for index, column in enumerate(columns)]
    shares = {
        party: [part[party].reshape(kind.shape) for part, kind in zip(given, kinds, strict=True)] for party in parties
    }
    streams = streams_of(parties, name, chosen, bits)
    return play(op, kinds, shares, streams, operation_for(corrected, n), **(store or {}))


def tree_masks(e, shape, tag):
    """The honest party's tree masks, enumerated, by tag."""
    return {tag + 2 * depth: planes(e.bits(level.opened)) for depth, level in enumerate(shape.levels)}


def tree_tags(shape, tag):
    return {tag + t for t in range(2 * len(shape.levels))}


def seen_of_tree(played, shape, count, first_round, trees=1):
    """The opened bits of each level, then d^, all as (count, bits)."""
    seen = []
    for depth, level in enumerate(shape.levels):
        words = played.opened(first_round + depth, "^").reshape(trees, -1)
        seen += [(element_bits(words[tree], count, level.opened), 1) for tree in range(trees)]
    words = played.opened(first_round + len(shape.levels), "^").reshape(trees, -1)
    return seen + [(element_bits(words[tree], count, 1), 1) for tree in range(trees)]


@every_coalition
@pytest.mark.parametrize("shift", [1, 3, 6])
def test_openings_of_a_truncation(n, honest, corrected, shift):
    e = Enumeration(range(-64, 64), 8)
    kind = ValueType(shape=(e.count,), width=7)
    chosen = {2: e.word(8, np.uint8)}
    played = elementwise(Truncate(Epilogue(shift=shift, width=8)), [kind], [e.values], n, honest, corrected, chosen)
    assert len(played.rounds) == 1
    e.assert_uniform([(played.opened(0, "+"), 8)])


@every_coalition
@pytest.mark.parametrize("shift", [0, 1, 3, 6])
@pytest.mark.few(12)
def test_openings_of_a_relu(n, honest, corrected, shift):
    shape = tree_shape(8 - shift - 1)
    width = 8 if shift == 0 else 7
    top = 1 << (width - 1)
    e = Enumeration(range(-top, top), 8 + shape.opened + 1)
    kind = ValueType(shape=(e.count,), width=width)
    chosen = {2: e.word(8, np.uint8), **tree_masks(e, shape, 24), 21: planes(e.bits(1))}
    bits = tree_tags(shape, 24) | {21}
    op = Relu(Epilogue(shift=shift, relu=True, width=8))
    played = elementwise(op, [kind], [e.values], n, honest, corrected, chosen, bits)
    e.assert_uniform([(played.opened(0, "+"), 8), *seen_of_tree(played, shape, e.count, 1)])


@every_coalition
@pytest.mark.parametrize(("threshold", "width"), [(0, 8), (5, 7), (-64, 7)])
@pytest.mark.few(10)
def test_openings_of_a_comparison(n, honest, corrected, threshold, width):
    shape, top = tree_shape(7), 1 << (width - 1)
    e = Enumeration(range(-top, top), 8 + shape.opened + 1)
    kind = ValueType(shape=(e.count,), width=width)
    chosen = {0: e.word(8, np.uint8), **tree_masks(e, shape, 16), 1: planes(e.bits(1))}
    bits = tree_tags(shape, 16) | {1}
    played = elementwise(AtLeast(threshold, 8), [kind], [e.values], n, honest, corrected, chosen, bits)
    e.assert_uniform([(played.opened(0, "+"), 8), *seen_of_tree(played, shape, e.count, 1)])


@every_coalition
@pytest.mark.few(5)
def test_openings_of_several_thresholds(n, honest, corrected):
    shape = tree_shape(7)
    e = Enumeration(range(-64, 64), 8 + 2 * (shape.opened + 1))
    kind = ValueType(shape=(e.count,), width=7)
    r, first, second = e.word(8, np.uint8), e.bits(shape.opened), e.bits(shape.opened)
    s = [e.bits(1), e.bits(1)]
    chosen = {
        0: r,
        16: np.concatenate([planes(first), planes(second)]),
        1: np.concatenate([planes(bit) for bit in s]),
    }
    played = elementwise(CountAtLeast((-3, 7), 8), [kind], [e.values], n, honest, corrected, chosen, {1, 16, 17})
    e.assert_uniform([(played.opened(0, "+"), 8), *seen_of_tree(played, shape, e.count, 1, trees=2)])


@every_coalition
@pytest.mark.few(4)
def test_openings_of_a_selection(n, honest, corrected):
    """x^ in 8 bits and y^ modulo 2^3, with the selected value a function of x and not one."""
    shape = tree_shape(7)
    pairs = [(x, y) for x in (-128, -1, 0, 1, 77, 127) for y in (0, 3 * x, 2**40 + 5)]
    e = Enumeration(pairs, 8 + shape.opened + 1 + 3)
    kind = ValueType(shape=(e.count,), width=8)
    y_kind = ValueType(shape=(e.count,), width=64)
    chosen = {0: e.word(8, np.uint8), **tree_masks(e, shape, 16), 1: planes(e.bits(1)), 5: e.word(3)}
    bits = tree_tags(shape, 16) | {1}
    columns = [np.ascontiguousarray(e.values[:, 0]), np.ascontiguousarray(e.values[:, 1])]
    played = elementwise(Select(8), [kind, y_kind], columns, n, honest, corrected, chosen, bits)
    y_hat = played.opened(0, "+", 1) & np.uint64(7)
    e.assert_uniform([(played.opened(0, "+"), 8), (y_hat, 3), *seen_of_tree(played, shape, e.count, 1)])


@pytest.mark.parametrize(("n", "honest", "corrected"), [(2, 0, 1), (2, 1, 1), (3, 2, 0), (3, 1, 1)])
def test_openings_of_a_maximum_of_three(n, honest, corrected):
    """Two levels, the second of which depends on the first: 3-bit values at width 4, in 8-bit words."""
    shape = tree_shape(3)
    assert not shape.levels
    triples = [(0, 0, 0), (-4, 3, -4), (3, -4, 3), (1, 2, 3), (3, 2, 1), (-1, -1, -2)]
    e = Enumeration(triples, 2 * (8 + 1))
    kind = ValueType(shape=(e.count, 3), width=3)
    chosen = {}
    for level in range(2):
        chosen |= {64 * level + 32: e.word(8, np.uint8), 64 * level + 5: planes(e.bits(1))}
    played = elementwise(Maximum(4), [kind], [e.values], n, honest, corrected, chosen, {5, 69})
    seen = []
    for level in range(2):
        d_hat = element_bits(played.opened(2 * level + 1, "^"), e.count, 1)
        seen += [(played.opened(2 * level, "+"), 8), (d_hat, 1)]
    e.assert_uniform(seen)


@pytest.mark.parametrize(("n", "honest", "corrected"), [(2, 0, 0), (2, 1, 0), (3, 2, 0), (3, 0, 2)])
@pytest.mark.parametrize("width", [12, 17, 22, 33])
def test_openings_of_larger_trees_for_any_mask(n, honest, corrected, width):
    """All values of the tree's masks and of s, for each of many pairs (x, r) with r fixed: trees of one and two
    levels.
    """
    shape = tree_shape(width - 1)
    rng = np.random.default_rng(width)
    top = 1 << (width - 1)
    x = [*rng.integers(-top, top, 26).tolist(), 0, -1, 1, -top, top - 1, top // 2]
    e = Enumeration(x if width < 33 else x[-6:], shape.opened + 1)
    kind = ValueType(shape=(e.count,), width=width)
    dtype = {12: np.uint16, 17: np.uint32, 22: np.uint32, 33: np.uint64}[width]
    r = np.repeat(rng.integers(0, 2**63, e.inputs).astype(dtype), e.combos)
    chosen = {0: r, **tree_masks(e, shape, 16), 1: planes(e.bits(1))}
    bits = tree_tags(shape, 16) | {1}
    played = elementwise(AtLeast(0, width), [kind], [e.values], n, honest, corrected, chosen, bits)
    x_hat = played.opened(0, "+").reshape(e.inputs, e.combos)
    assert (x_hat == x_hat[:, :1]).all(), "x^ depends on a mask of the tree"
    e.assert_uniform(seen_of_tree(played, shape, e.count, 1))


@pytest.mark.parametrize(("n", "honest", "corrected"), [(2, 0, 0), (2, 1, 0), (3, 2, 0)])
def test_openings_of_a_tree_of_one_large_node(n, honest, corrected):
    """The same for a ReLU of few values: all values of the masks of its one node and of s."""
    width, rng = 22, np.random.default_rng(1)
    top = 1 << (width - 1)
    e = Enumeration([*rng.integers(-top, top, 8).tolist(), 0, -1, -top, top - 1], 11)
    shape = tree_of(width - 1, e.count)
    assert (shape.opened, len(shape.levels)) == (10, 1)
    kind = ValueType(shape=(e.count,), width=width)
    r = np.repeat(rng.integers(0, 2**32, e.inputs).astype(np.uint32), e.combos)
    chosen = {2: r, **tree_masks(e, shape, 24), 21: planes(e.bits(1))}
    op, bits = Relu(Epilogue(relu=True, width=width)), tree_tags(shape, 24) | {21}
    played = elementwise(op, [kind], [e.values], n, honest, corrected, chosen, bits)
    e.assert_uniform(seen_of_tree(played, shape, e.count, 1))


@every_coalition
@pytest.mark.parametrize("epilogue", [None, Epilogue(shift=3, width=8)], ids=["plain", "truncated"])
def test_openings_of_a_product_modulo_16(n, honest, corrected, epilogue):
    e = Enumeration(list(itertools.product((-8, -3, 0, 1, 7), (-8, -1, 0, 5))), 8 if epilogue is None else 12)
    width = 64 if epilogue is None else 4
    kind = ValueType(shape=(e.count,), width=min(width, 30))
    chosen = {0: e.word(4), 1: e.word(4)}
    if epilogue is not None:
        chosen[2] = e.word(4)
    columns = [np.ascontiguousarray(e.values[:, axis]) for axis in (0, 1)]
    played = elementwise(Product(Elementwise(), epilogue), [kind, kind], columns, n, honest, corrected, chosen)
    seen = [(played.opened(0, "+", part) & np.uint64(15), 4) for part in (0, 1)]
    if epilogue is not None:
        seen.append((played.opened(1, "+") & np.uint8(15), 4))
    e.assert_uniform(seen)


@pytest.mark.parametrize("added", [False, True], ids=["alone", "added to"])
@pytest.mark.parametrize(("n", "owner", "honest"), [(2, 0, 1), (2, 1, 0), (3, 0, 1), (3, 1, 2), (3, 2, 0)])
def test_openings_of_a_product_with_a_fixed_weight_modulo_16(n, owner, honest, added):
    """A coalition with the weight's owner sees the honest party's X_p - A_p and z^: uniform, jointly, for every x
    and w.
    """
    parties = NAMES[:n]
    epilogue = Epilogue(shift=3, width=8)
    e = Enumeration(list(itertools.product((-8, -3, 0, 1, 7), (-8, -1, 0, 5))), 8)
    x, w = (np.ascontiguousarray(e.values[:, axis]) for axis in (0, 1))
    weight = ValueType(shape=(e.count,), width=4)
    op = OwnedProduct(parties[owner], "w", Elementwise(), weight, gain=2 - added, epilogue=epilogue, added=added)
    mask = np.full(e.count, 11, np.uint64)
    store = {name: {"w": (w if name == parties[owner] else w - mask, None)} for name in parties}
    chosen = {0: e.word(4), 2: e.word(4)}
    kind = ValueType(shape=(e.count,), width=4)
    stores = {"store": store, "dealer_store": {"w": mask}}
    played = elementwise(op, [kind] * (1 + added), [x, w][: 1 + added], n, honest, owner, chosen, store=stores)
    assert {receiver for _, receiver in played.rounds[0]} == {parties[owner]}, "others learn of X"
    sent = played.rounds[0][parties[honest], parties[owner]][0].reshape(-1)
    e.assert_uniform([(sent & np.uint64(15), 4), (played.opened(1, "+") & np.uint8(15), 4)])


@pytest.mark.parametrize(("n", "owner", "honest"), [(2, 0, 0), (2, 1, 1), (3, 0, 0), (3, 2, 2)])
def test_openings_against_the_owner_of_a_weight(n, owner, honest):
    """The owner is the honest one: the others see F = W - B, from the load, and z^ in every batch: uniform for every
    w.
    """
    parties = NAMES[:n]
    e = Enumeration(list(itertools.product((-8, -3, 0, 1, 7), (-8, -1, 0, 5))), 8)
    x, w = (np.ascontiguousarray(e.values[:, axis]) for axis in (0, 1))
    weight = ValueType(shape=(e.count,), width=4)
    b, q = e.word(4), e.word(4)  # B is the owner's alone
    op = OwnedProduct(parties[owner], "w", Elementwise(), weight, gain=2, epilogue=Epilogue(shift=3, width=8))
    store = {name: {"w": (w if name == parties[owner] else w - b, None)} for name in parties}
    kind = ValueType(shape=(e.count,), width=4)
    played = elementwise(op, [kind], [x], n, honest, owner, {2: q}, store={"store": store, "dealer_store": {"w": b}})
    e.assert_uniform([((w - b) & np.uint64(15), 4), (played.opened(1, "+") & np.uint8(15), 4)])


@every_coalition
def test_openings_of_a_sum_of_squares_modulo_256(n, honest, corrected):
    e = Enumeration(range(-128, 128), 8)
    kind = ValueType(shape=(e.count,), width=8)
    played = elementwise(SumOfSquares(), [kind], [e.values], n, honest, corrected, {0: e.word(8)})
    e.assert_uniform([(played.opened(0, "+") & np.uint64(255), 8)])


@every_coalition
def test_openings_of_groups(n, honest, corrected):
    """Eight keys: k^ is opened in 8 bits, all of them masked; the values modulo 2^4."""
    keys = list(itertools.product(range(8), (-5, 0, 3)))
    e = Enumeration(keys, 12)
    key, value = (np.ascontiguousarray(e.values[:, axis]) for axis in (0, 1))
    key_kind, kind = ValueType(shape=(e.count,), width=4), ValueType(shape=(e.count,), width=4)
    r, a = e.word(8, np.uint8), e.word(4)
    played = elementwise(GroupSum(3), [key_kind, kind], [key, value], n, honest, corrected, {0: r, 2: a})
    e.assert_uniform([(played.opened(0, "+"), 8), (played.opened(0, "+", 1) & np.uint64(15), 4)])
    played = elementwise(GroupCount(3), [key_kind], [key], n, honest, corrected, {0: r})
    e.assert_uniform([(played.opened(0, "+"), 8)])


@every_coalition
@pytest.mark.few(4)
def test_openings_of_a_table_of_groups(n, honest, corrected):
    """Eight keys of two digits: k^ in 8 bits with values modulo 2^4; then the upper digit, in 8 bits, beside F."""
    op, masks, low = GroupTable(8), 12, 1 << GroupTable(8).low_bits(1)
    keys = list(itertools.product(range(8), (-5, 0, 3)))
    for first in (True, False):
        e = Enumeration(keys, masks)
        key, value = (np.ascontiguousarray(e.values[:, axis]) for axis in (0, 1))
        kinds = [ValueType(shape=(e.count,), width=4)] * 2
        word, few = e.word(8, np.uint8), e.word(4)
        b = np.repeat(few[:, None], low, axis=1).reshape(-1)
        chosen = {0: word, 1: few} if first else {3: word, 4: b}
        played = elementwise(op, kinds, [key, value], n, honest, corrected, chosen)
        if first:
            e.assert_uniform([(played.opened(0, "+"), 8), (played.opened(0, "+", 1).reshape(-1) & np.uint64(15), 4)])
            continue
        f = played.opened(1, "+", 1).reshape(e.count, low)
        for digit in range(low):
            e.assert_uniform([(played.opened(1, "+"), 8), (f[:, digit] & np.uint64(15), 4)])


def test_the_bench_computes_what_the_protocol_says():
    """The bench plays the real thing: its outputs add up to the reference."""
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, 1000).view(np.uint64)
    op, kind = Relu(Epilogue(relu=True, width=8)), ValueType(shape=(1000,), width=8)
    given = split(x, NAMES, "bob")
    played = play(op, [kind], {name: [given[name]] for name in NAMES}, {name: Streams(name) for name in NAMES}, 1)
    np.testing.assert_array_equal(
        sum(played.outputs[1:], played.outputs[0]), TABLE[Relu].reference(op, [kind], [x], {}, kind)
    )
    assert Sent().corrections == {}
