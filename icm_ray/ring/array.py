"""The array that everything is computed on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RingArray"]

RingArray = NDArray[np.uint64]
"""Elements of Z_2^64, with wrap-around; wide numbers have their limbs on the last axis."""
