"""The bit-sliced kernels against plain Python, for every width that a comparison can have."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.ops.tree import tree_of, tree_shape
from icm_ray.ring import bits, epilogue

WIDTHS = range(1, 64)
ZERO = np.uint64(0)


def numbers(rng, nbits, count=512):
    words = rng.integers(0, 2**64, count, dtype=np.uint64)
    mask = np.uint64((1 << nbits) - 1)
    words[:6] = [0, mask, 1, mask, mask >> np.uint64(1), 0]
    return words


def one_hot_words(r, shape):
    size = r.size
    wide = np.zeros((shape.wide_chunks, size), np.uint16)
    bits.deal_one_hot(r, wide)
    narrow = np.zeros((shape.narrow_chunks, size), np.uint8)
    bits.narrow_one_hot(r, 4 * shape.wide_chunks, shape.top_bits, narrow)
    return wide, narrow


def plane_bits(plane):
    return np.unpackbits(np.ascontiguousarray(plane).view(np.uint8), bitorder="little")


@pytest.mark.parametrize("nbits", WIDTHS)
def test_chunks_are_looked_up(nbits):
    """p and g of every chunk: equal and greater, of the right bits, whatever lies above them."""
    rng, shape = np.random.default_rng(nbits), tree_shape(nbits)
    r, public = numbers(rng, nbits), numbers(rng, nbits)
    public[10:200] = r[10:200]  # many equal chunks
    wide, narrow = one_hot_words(r, shape)
    p, g = (np.empty((1, shape.chunks, 8), np.uint64) for _ in range(2))
    bits.look_up(public, ZERO, 0, wide, narrow, shape.top_bits, p, g)
    for j, (start, stop) in enumerate(pairwise((*shape.starts, nbits))):
        a, b = ((x >> np.uint64(start)) & np.uint64((1 << (stop - start)) - 1) for x in (r, public))
        np.testing.assert_array_equal(plane_bits(p[0, j]), a == b)
        np.testing.assert_array_equal(plane_bits(g[0, j]), a > b)


def packed(x, shift):
    """Bit `shift` of every x as one plane."""
    return np.packbits((x >> np.uint64(shift)).astype(np.uint8) & 1, bitorder="little").view(np.uint64)


def compare_shared(r, public, nbits, parties, rng, shape=None):
    """The whole tree on XOR shares, exchanged in the open: [low(r) > low(public)] as bits."""
    shape, blocks = shape or tree_shape(nbits), r.size // 512

    def shared(secret):
        shares = [
            rng.integers(0, np.iinfo(secret.dtype).max, secret.shape, secret.dtype, endpoint=True)
            for _ in range(parties - 1)
        ]
        rest = secret.copy()
        for share in shares:
            rest ^= share
        return [*shares, rest]

    wide, narrow = one_hot_words(r, shape)
    state = []
    for wide_share, narrow_share in zip(shared(wide), shared(narrow), strict=True):
        p, g = (np.empty((blocks, shape.chunks, 8), np.uint64) for _ in range(2))
        bits.look_up(public, ZERO, 0, wide_share, narrow_share, shape.top_bits, p, g)
        state.append((p, g))
    for level in shape.levels:
        nodes = np.array(level.nodes)
        masks = rng.integers(0, 2**64, (blocks, level.opened, 8), dtype=np.uint64)
        products = np.zeros((blocks, level.products, 8), np.uint64)
        bits.deal_products(nodes, masks, products)
        mask_shares, product_shares = shared(masks), shared(products)
        hats = np.zeros_like(masks)
        for (p, g), own in zip(state, mask_shares, strict=True):
            masked = own.copy()
            bits.mask_level(p, g, nodes, masked)
            hats ^= masked
        following = []
        for party, (p, g) in enumerate(state):
            new_p, new_g = (np.empty((blocks, nodes.size, 8), np.uint64) for _ in range(2))
            bits.reduce_level(p, g, nodes, hats, mask_shares[party], product_shares[party], party == 0, new_p, new_g)
            following.append((new_p, new_g))
        state = following
    total = np.zeros((blocks, 1, 8), np.uint64)
    for _, g in state:
        total ^= g
    return plane_bits(total)


@pytest.mark.parametrize("nbits", WIDTHS)
def test_the_tree_compares(nbits):
    rng = np.random.default_rng(nbits)
    r, public = numbers(rng, nbits, 1024), numbers(rng, nbits, 1024)
    near = rng.integers(0, 1024, 500)
    public[near] = r[near] + rng.integers(-1, 2, 500).astype(np.uint64)
    mask = np.uint64((1 << nbits) - 1)
    found = compare_shared(r, public, nbits, 2 + nbits % 3, rng)
    np.testing.assert_array_equal(found, (r & mask) > (public & mask))


@pytest.mark.parametrize("nbits", range(17, 33))
def test_few_values_are_compared_in_one_node(nbits):
    rng, shape = np.random.default_rng(nbits), tree_of(nbits, 1024)
    assert [len(level.nodes) for level in shape.levels] == [1]
    r, public = numbers(rng, nbits, 1024), numbers(rng, nbits, 1024)
    near = rng.integers(0, 1024, 500)
    public[near] = r[near] + rng.integers(-1, 2, 500).astype(np.uint64)
    mask = np.uint64((1 << nbits) - 1)
    found = compare_shared(r, public, nbits, 2 + nbits % 3, rng, shape)
    np.testing.assert_array_equal(found, (r & mask) > (public & mask))


def test_rounds_are_saved_where_they_cost_less_than_their_products():
    assert tree_of(26, 30_000) != tree_shape(26) == tree_of(26, 40_000)
    assert all(tree_of(nbits, 1) == tree_shape(nbits) for nbits in (1, 16, 33, 63))


@given(st.integers(1, 63), st.data())
@settings(max_examples=25)
def test_the_tree_compares_any_numbers(nbits, data):
    top = 2**nbits - 1
    near = st.sampled_from([-1, 0, 1])
    numbers_of = st.integers(0, top)
    pairs = data.draw(
        st.lists(st.tuples(numbers_of, st.one_of(numbers_of, near.map(lambda d: ("near", d)))), min_size=1, max_size=64)
    )
    r = np.zeros(512, np.uint64)
    public = np.zeros(512, np.uint64)
    for e, (a, b) in enumerate(pairs):
        r[e] = a
        public[e] = min(max(a + b[1], 0), top) if isinstance(b, tuple) else b
    found = compare_shared(r, public, nbits, 2, np.random.default_rng(0))
    np.testing.assert_array_equal(found, r > public)


def test_the_tree_compares_all_pairs_of_small_numbers():
    for nbits in (1, 2, 3, 4, 5):
        size = 1 << nbits
        r = np.repeat(np.arange(size, dtype=np.uint64), size)
        public = np.tile(np.arange(size, dtype=np.uint64), size)
        found = compare_shared(bits.padded(r), bits.padded(public), nbits, 3, np.random.default_rng(nbits))
        np.testing.assert_array_equal(found[: r.size], r > public)


@pytest.mark.parametrize("nbits", WIDTHS)
def test_the_shape_is_consistent(nbits):
    shape = tree_shape(nbits)
    sizes = [stop - start for start, stop in pairwise((*shape.starts, nbits))]
    assert sizes == [4] * shape.wide_chunks + [3] * (shape.narrow_chunks - 1) + [shape.top_bits] * (nbits % 4 > 0)
    assert 1 <= shape.top_bits <= 4
    assert sum(sizes) == nbits
    width = shape.chunks
    for level in shape.levels:
        assert sum(level.nodes) == width
        width = len(level.nodes)
    assert width == 1


@pytest.mark.parametrize("nbits", [0, 64, -1])
def test_a_shape_beyond_the_ring_is_refused(nbits):
    with pytest.raises(ValueError, match="1 to 63 bits"):
        tree_shape(nbits)


@pytest.mark.parametrize("w", WIDTHS)
def test_high_parts(w):
    w += 1
    x = numbers(np.random.default_rng(w), w, 700)
    for f in {0, 1, w // 2, w - 1}:
        out = np.full(1024, 7, np.uint64)
        epilogue.high_part(x, f, w, out)
        assert out[:700].tolist() == [(int(v) % 2**w) >> f for v in x]
        assert not out[700:].any()


@pytest.mark.parametrize("shift", [0, 1, 31, 63])
def test_planes_and_words(shift):
    x = np.random.default_rng(shift).integers(0, 2**64, 1024, dtype=np.uint64)
    plane = packed(x, shift)
    wanted = [(int(v) >> shift) & 1 for v in x]
    assert plane_bits(plane).tolist() == wanted
    out = np.empty(1000, np.uint64)
    bits.unpack(plane, out)
    assert out.tolist() == wanted[:1000]
    signs = np.zeros(16, np.uint64)
    epilogue.signs(x, ZERO, shift, 1, signs)
    assert plane_bits(signs ^ plane).all()


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 512), (511, 512), (512, 512), (513, 1024)])
def test_padding(count, size):
    x = np.arange(1, count + 1, dtype=np.uint64)
    found = bits.padded(x)
    assert found.size == size
    assert found[:count].tolist() == x.tolist()
    assert not found[count:].any()
