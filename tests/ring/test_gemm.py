"""Products over Z_2^64 against Python's integers, and convolutions against torch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import ShapeError
from icm_ray.ring.gemm import ConvShape, convolve, matmul

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
