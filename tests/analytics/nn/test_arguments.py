"""Numbers that callers declare: of Python, numpy and torch alike, and nothing that only looks like one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from analytics.nn.arguments import logarithm, whole
from icm_ray.errors import BoundError, InputError


@pytest.mark.parametrize(
    "bound",
    [5, 5.0, 8, np.float32(5), np.int64(8), np.array(7.5), torch.tensor(6), torch.tensor(6.0), Fraction(13, 2)],
)
def test_a_bound_of_any_kind_of_number(bound: Any) -> None:
    assert logarithm(bound, "bound") == 3


@pytest.mark.parametrize(
    "bound",
    [True, np.bool_(True), torch.tensor(True), np.array([4.0]), np.ma.masked_array(4.0), np.array("4"), None, 10**400],
)
def test_what_is_no_bound(bound: Any) -> None:
    with pytest.raises(BoundError, match="bound is a positive number, not"):
        logarithm(bound, "bound")


@pytest.mark.parametrize("bits", [12, np.int8(12), np.array(12), torch.tensor(12)])
def test_a_whole_number(bits: Any) -> None:
    assert whole(bits, "fraction_bits", 0, 62) == 12


@pytest.mark.parametrize(
    "bits", [16.0, -3, 63, True, np.bool_(True), "16", None, np.float64(16), torch.tensor(True), torch.ones(2)]
)
def test_what_is_no_whole_number(bits: Any) -> None:
    with pytest.raises(InputError, match="fraction_bits is a whole number from 0 to 62, not"):
        whole(bits, "fraction_bits", 0, 62)
