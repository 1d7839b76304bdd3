"""Tables and kernels of trigonometric sums and exponentials: the same integers everywhere, and near enough."""

from __future__ import annotations

import numpy as np
import pytest

from icm_ray.ring import fourier


@pytest.mark.parametrize(
    ("table", "exact"),
    [
        (
            fourier.wave_table(),
            np.stack([f(2 * np.pi * np.arange(4096) / 4096) for f in (np.cos, np.sin)], axis=1) * 2**30,
        ),
        *(
            (
                fourier.power_tables(f + 1, f),
                np.exp(np.stack([s * np.arange(256.0) * 2.0 ** (1 - b) for s in (1, -1) for b in (8, 16)])) * 2**29,
            )
            for f in (4, 10, 16, 20, 24)
        ),
    ],
)
def test_no_table_entry_is_near_the_edge_of_its_rounding(table, exact):
    """Where another machine's cosine differs in its last bits, the integers are the same."""
    away = np.abs(np.abs(exact - np.floor(exact)) - 0.5)
    assert away.min() > 64 * np.spacing(np.abs(exact).max())
    np.testing.assert_array_equal(table, np.rint(exact).astype(np.int64))


@pytest.mark.parametrize("period", [10, 21, 32])
def test_dealt_waves(period):
    r = np.random.default_rng(0).integers(0, 2**32, 20000, dtype=np.uint64)
    harmonics = np.array([1, 2, 13])
    out = np.zeros((r.size, 6), np.uint64)
    fourier.deal_waves(r, period, harmonics, 28, fourier.wave_table(), out)
    angle = 2 * np.pi / 2.0**period * (r % 2**period).astype(float)[:, None] * harmonics
    found = out.view(np.int64) / 2.0**28
    assert np.abs(found[:, 0::2] - np.cos(angle)).max() <= 3.2e-7
    assert np.abs(found[:, 1::2] - np.sin(angle)).max() <= 3.2e-7


@pytest.mark.parametrize(("shift", "f"), [(11, 10), (16, 16), (17, 16), (25, 24)])
def test_dealt_powers(shift, f):
    r = np.random.default_rng(0).integers(0, 2**40, 20000, dtype=np.uint64)
    out = np.zeros((r.size, 8), np.uint64)
    fourier.deal_powers(r, shift, f, 3, 28, fourier.power_tables(shift, f), out)
    low = (r % 2**shift).astype(float) * 2.0**-f
    hot = (r >> np.uint64(shift)) % np.uint64(8)
    np.testing.assert_array_equal(out.argmax(axis=1), hot)
    np.testing.assert_array_equal(np.count_nonzero(out, axis=1), 1)
    assert np.abs(out.max(axis=1) / 2.0**28 - np.exp(-low)).max() <= 2.0**-27
