"""Products over Z_2^64 against Python's integers, and convolutions against torch's own."""

import os
import platform
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from icm_ray.errors import ShapeError
from icm_ray.ring import gemm_kernel
from icm_ray.ring.gemm import SHORT, ConvShape, convolve, matmul
from icm_ray.ring.vectors import MACHINE

EDGES = np.array([0, 1, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)


def ring(rng, *shape):
    words = rng.integers(0, 2**64, shape, dtype=np.uint64)
    flat = words.reshape(-1)
    flat[: EDGES.size] = EDGES[: flat.size]
    return words


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32))
@settings(max_examples=30)
def test_matmul_wraps_around(rows, inner, columns, seed):
    rng = np.random.default_rng(seed)
    a, b = ring(rng, rows, inner), ring(rng, inner, columns)
    exact = (a.astype(object) @ b.astype(object)) % 2**64
    np.testing.assert_array_equal(matmul(a, b), exact.astype(np.uint64))
    np.testing.assert_array_equal(matmul(np.asfortranarray(a), b.T.copy().T), matmul(a, b))


def test_matmul_takes_what_cannot_be_written():
    a, b = ring(np.random.default_rng(0), 3, 4), ring(np.random.default_rng(1), 4, 2)
    before = a.copy()
    a.flags.writeable = False
    np.testing.assert_array_equal(matmul(a, b), before @ b)
    np.testing.assert_array_equal(matmul(np.stack([a, a]), b), np.stack([before @ b] * 2))
    np.testing.assert_array_equal(matmul(np.broadcast_to(a[:1], (5, 4)), b), np.repeat(before[:1] @ b, 5, axis=0))


SHAPES = {
    "plain": ConvShape(3, 8, 7, 5, (3, 3)),
    "stride": ConvShape(3, 9, 8, 4, (3, 2), stride=(2, 3)),
    "padding": ConvShape(2, 6, 6, 4, (3, 3), padding=(1, 1, 2, 2)),
    "one_sided": ConvShape(2, 6, 5, 3, (2, 3), padding=(0, 1, 2, 0)),
    "dilation": ConvShape(2, 9, 9, 3, (3, 3), dilation=(2, 3)),
    "groups": ConvShape(4, 6, 6, 6, (3, 3), groups=2, padding=(1, 1, 1, 1)),
    "depthwise": ConvShape(5, 6, 7, 5, (3, 3), groups=5, stride=(2, 1), padding=(1, 1, 1, 1)),
    "depthwise_twice": ConvShape(3, 6, 6, 6, (3, 3), groups=3),
    "one_by_one": ConvShape(6, 5, 4, 7, (1, 1)),
    "one_by_one_stride": ConvShape(6, 5, 4, 7, (1, 1), stride=(2, 2)),
    "one_by_one_groups": ConvShape(6, 5, 4, 8, (1, 1), groups=2),
    "one_by_one_padded": ConvShape(2, 3, 3, 2, (1, 1), padding=(1, 1, 1, 1)),
    "all": ConvShape(4, 11, 12, 6, (3, 2), (2, 3), (2, 1, 0, 3), (2, 1), 2),
    "whole_image": ConvShape(3, 4, 5, 2, (4, 5)),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_convolution_is_torch_s(name, batch):
    shape, rng = SHAPES[name], np.random.default_rng(batch)
    images, weight = ring(rng, batch, shape.channels, shape.height, shape.width), ring(rng, *shape.weight_shape)
    top, bottom, left, right = shape.padding
    padded = torch.nn.functional.pad(torch.from_numpy(images.view(np.int64)), (left, right, top, bottom))
    wanted = torch.nn.functional.conv2d(
        padded, torch.from_numpy(weight.view(np.int64)), None, shape.stride, 0, shape.dilation, shape.groups
    )
    found = convolve(images, weight, shape)
    assert found.shape == (batch, *shape.out_shape)
    np.testing.assert_array_equal(found.view(np.int64), wanted.numpy())


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": 2}, {"groups": 0}, {"kernel": (4, 9)}, {"kernel": (0, 1)}, {"stride": (0, 1)}, {"dilation": (1, 0)},
        {"padding": (0, -1, 0, 0)}, {"dilation": (4, 1)},
    ],
)  # fmt: skip
def test_geometry_that_cannot_be_is_refused(wrong):
    good = {"channels": 3, "height": 6, "width": 6, "out_channels": 4, "kernel": (3, 3)}
    ConvShape(**good)
    with pytest.raises(ShapeError):
        ConvShape(**{**good, **wrong})


@pytest.mark.slow
def test_workers_of_products_need_no_torch():
    code = (
        "import sys, numpy as np; from icm_ray.ring.gemm import matmul; assert 'numba' not in sys.modules; "
        "a = np.full((20, 20), 2**63, np.uint64); assert not matmul(a, a).any(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


MACHINES = {
    "halves": ("haswell", "+avx2,+avx,+sse4.2,+sse4.1,+ssse3,+sse3,+popcnt", True),
    "pairs of words": ("x86-64", "+sse2", False),
}


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="features of other machines")
@pytest.mark.parametrize("name", MACHINES)
def test_products_are_the_same_on_lesser_machines(name, tmp_path):
    cpu, features, halves = MACHINES[name]
    code = (
        "import numpy as np; from icm_ray.ring.gemm import matmul; from icm_ray.ring.vectors import MACHINE\n"
        f"assert MACHINE.halves is {halves}, MACHINE\n"
        "rng = np.random.default_rng(0)\n"
        "for rows, inner, columns in (37, 129, 43), (4, 1030, 8), (5, 7, 600):\n"
        "    a, b = (rng.integers(0, 2**64, s, dtype=np.uint64) for s in ((rows, inner), (inner, columns)))\n"
        "    a[0], b[:, 0] = 2**64 - 1, 2**63\n"
        "    total = rng.integers(0, 2**64, (rows, columns), dtype=np.uint64)\n"
        "    assert (matmul(a, b) == a @ b).all() and (matmul(a, b, total.copy()) == total + a @ b).all()\n"
    )
    lesser = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300, env={**os.environ, **lesser})


def near(*edges):
    """One less, the edge itself, one more."""
    return st.sampled_from(sorted({max(1, edge + by) for edge in edges for by in (-1, 0, 1)}))


ROW_EDGES = (1, 4, 8, MACHINE.rows, 2 * MACHINE.rows, gemm_kernel.ROWS, gemm_kernel.ROWS + MACHINE.rows)
COLUMN_EDGES = (MACHINE.lanes, gemm_kernel.WIDTH, 2 * gemm_kernel.WIDTH, 8 * MACHINE.lanes, gemm_kernel.WIDE)
INNER_EDGES = (1, MACHINE.lanes, gemm_kernel.DEEP, 2 * gemm_kernel.DEEP)
LAYOUTS = {
    "plain": lambda x: x,
    "transposed": np.asfortranarray,
    "every second": lambda x: np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2],
    "backwards": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "no whole words": lambda x: np.rec.fromarrays([x, x.astype(np.uint8)], dtype=[("x", "u8"), ("y", "u1")])["x"],
    "read only": lambda x: np.frombuffer(x.tobytes(), np.uint64).reshape(x.shape),
}


@given(
    near(*ROW_EDGES), near(*INNER_EDGES), near(*COLUMN_EDGES), st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from(sorted(LAYOUTS)), st.integers(0, 2**32),
)  # fmt: skip
@example(gemm_kernel.ROWS + 1, 2 * gemm_kernel.DEEP + 1, gemm_kernel.WIDE + 1, "plain", "transposed", 0)
@settings(max_examples=120, deadline=None)
def test_every_edge_of_the_blocks(rows, inner, columns, of_a, of_b, seed):
    rng = np.random.default_rng(seed)
    a, b, before = ring(rng, rows, inner), ring(rng, inner, columns), ring(rng, rows, columns)
    exact = a @ b  # numpy's own loop wraps around
    a, b = LAYOUTS[of_a](a), LAYOUTS[of_b](b)
    np.testing.assert_array_equal(matmul(a, b), exact)
    np.testing.assert_array_equal(matmul(a, b, threads=2), exact)
    out = before.copy()
    assert matmul(a, b, out) is out
    np.testing.assert_array_equal(out, before + exact)
    out = before.copy()
    np.testing.assert_array_equal(matmul(a, b, out, threads=3), before + exact)
    low = np.uint64(2**SHORT - 1)
    np.testing.assert_array_equal(matmul(a, b, short=True) & low, exact & low)
    np.testing.assert_array_equal(matmul(a, b, before.copy(), threads=2, short=True) & low, (before + exact) & low)


def test_products_without_words():
    for rows, inner, columns in ((0, 3, 4), (3, 0, 40), (40, 0, 40), (3, 4, 0)):
        a, b = np.ones((rows, inner), np.uint64), np.ones((inner, columns), np.uint64)
        np.testing.assert_array_equal(matmul(a, b), a @ b)
        out = np.ones((rows, columns), np.uint64)
        np.testing.assert_array_equal(matmul(a, b, out), np.ones((rows, columns), np.uint64))


@pytest.mark.parametrize("out", [np.zeros((2, 2), np.uint64), np.zeros((2, 3)), np.zeros((3, 2), np.uint64).T])
def test_a_result_that_cannot_be_added_to_is_refused(out):
    with pytest.raises(ShapeError, match="out is"):
        matmul(np.ones((2, 4), np.uint64), np.ones((4, 3), np.uint64), out)


def test_factors_that_do_not_fit_are_refused():
    for a, b in (((2, 3), (2, 3)), ((3,), (3,)), ((2, 3), (3, 2, 2))):
        with pytest.raises(ShapeError, match="do not fit"):
            matmul(np.ones(a, np.uint64), np.ones(b, np.uint64))


OTHER_WORDS = [np.int32, np.int64, np.float64, np.uint32, np.dtype(np.uint64).newbyteorder()]


@pytest.mark.parametrize("dtype", OTHER_WORDS, ids=str)
@pytest.mark.parametrize("which", [0, 1])
def test_words_of_another_type_are_refused(dtype, which):
    factors, shape = [np.ones((3, 3), np.uint64)] * 2, ConvShape(1, 3, 3, 1, (3, 3))
    factors[which] = factors[which].astype(dtype)
    with pytest.raises(ShapeError, match="native byte order"):
        matmul(*factors)
    with pytest.raises(ShapeError, match="native byte order"):
        convolve(*(factor.reshape(1, 1, 3, 3) for factor in factors), shape)


@pytest.mark.parametrize("which", [0, 1])
def test_a_result_over_a_factor_is_refused(which):
    square, batch = np.ones((3, 3), np.uint64), np.ones((2, 1, 1, 1), np.uint64)
    factors = [square.copy(), square.copy()]
    with pytest.raises(ShapeError, match="overlaps"):
        matmul(*factors, factors[which])
    images, weight = factors = [batch[:1].copy(), batch[:1].copy()]
    with pytest.raises(ShapeError, match="overlaps"):
        convolve(images, weight, ConvShape(1, 1, 1, 1, (1, 1)), factors[which])
    convolve(batch[:1], weight, ConvShape(1, 1, 1, 1, (1, 1)), batch[1:])
    assert batch.ravel().tolist() == [1, 2]


@pytest.mark.parametrize("images", [(2, 3, 8, 8), (2, 3, 7, 7), (2, 2, 8, 7), (3, 8, 7), (1, 2, 3, 8, 7), (2, 168)])
def test_images_of_another_shape_are_refused(images):
    shape = ConvShape(3, 8, 7, 5, (3, 3))
    with pytest.raises(ShapeError, match="are not those of"):
        convolve(np.ones(images, np.uint64), np.ones(shape.weight_shape, np.uint64), shape)


@pytest.mark.parametrize("weight", [(5, 27), (5, 3, 9, 1), (3, 5, 3, 3), (4, 3, 3, 3), (135,)])
def test_a_weight_of_another_shape_is_refused(weight):
    shape = ConvShape(3, 8, 7, 5, (3, 3))
    with pytest.raises(ShapeError, match="are not those of"):
        convolve(np.ones((2, 3, 8, 7), np.uint64), np.ones(weight, np.uint64), shape)


def test_convolutions_without_words():
    for batch, channels, outs in ((2, 0, 3), (0, 2, 3), (2, 2, 0)):
        shape = ConvShape(channels, 5, 6, outs, (3, 3), padding=(1, 1, 1, 1))
        images, weight = np.ones((batch, channels, 5, 6), np.uint64), np.ones(shape.weight_shape, np.uint64)
        assert not convolve(images, weight, shape).any()
        out = np.ones((batch, *shape.out_shape), np.uint64)
        assert (convolve(images, weight, shape, out) == 1).all()


def by_loops(images, weight, shape):
    """The definition, one output channel and one word of the kernel at a time."""
    windows = shape.windows(images)
    out = np.zeros((images.shape[0], *shape.out_shape), np.uint64)
    size, per_group = shape.out_channels // shape.groups, shape.channels // shape.groups
    for o in range(shape.out_channels):
        for c in range(per_group):
            for row, column in np.ndindex(*shape.kernel):
                out[:, o] += windows[:, o // size * per_group + c, :, :, row, column] * weight[o, c, row, column]
    return out


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel, step, spread = (draw(st.tuples(st.integers(1, most), st.integers(1, most))) for most in (4, 3, 2))
    padding = draw(st.tuples(*[st.integers(0, 3)] * 4))
    reach = [max(1, d * (k - 1) + 1) for d, k in zip(spread, kernel, strict=True)]
    height, width = reach[0] + draw(st.integers(0, 9)), reach[1] + draw(st.integers(0, 20))
    channels, out = groups * draw(st.integers(1, 40)), groups * draw(st.sampled_from([1, 2, 5, 13, 25]))
    return ConvShape(channels, height, width, out, kernel, step, padding, spread, groups), draw(st.integers(1, 9))


@given(convolutions(), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_convolution(geometry, turned, seed):
    (shape, batch), rng = geometry, np.random.default_rng(seed)
    images, weight = ring(rng, batch, shape.channels, shape.height, shape.width), ring(rng, *shape.weight_shape)
    exact, before = by_loops(images, weight, shape), ring(rng, batch, *shape.out_shape)
    if turned:
        images, weight = (np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for x in (images, weight))
        images.flags.writeable = False
    np.testing.assert_array_equal(convolve(images, weight, shape), exact)
    np.testing.assert_array_equal(convolve(images, weight, shape, threads=2), exact)
    out = before.copy()
    assert convolve(images, weight, shape, out) is out
    np.testing.assert_array_equal(out, before + exact)


def test_memory_of_a_convolution_is_bounded():
    shape = ConvShape(16, 64, 64, 16, (5, 5), padding=(2, 2, 2, 2))
    rng = np.random.default_rng(0)
    images, weight = ring(rng, 16, 16, 64, 64), ring(rng, *shape.weight_shape)  # 8 MB; its windows would be 200
    convolve(images, weight, shape)
    tracemalloc.start()
    out = convolve(images, weight, shape)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most - out.nbytes < 4e6


def test_kernels_have_one_signature():
    matmul(*[np.ones((32, 32), np.uint64)] * 2)
    matmul(*[np.ones((2, 2), np.uint64).T] * 2)
    assert len(gemm_kernel.product.signatures) == len(gemm_kernel.narrow.signatures) == 1
