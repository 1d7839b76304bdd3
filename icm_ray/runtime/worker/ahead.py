"""What a worker's first order would wait for is loaded while nothing is asked of it: nothing of it is anybody's."""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = ["load_ahead", "load_kernels"]

_CELLS: Final = 1


def load_ahead() -> None:
    """Make the first array of Arrow's, which loads pandas where that is installed, and run the first kernel: over a
    second, both of them.
    """
    import pyarrow as pa

    pa.array(np.zeros(_CELLS))
    load_kernels()


def load_kernels() -> None:
    """Run the first kernel, for which Numba loads what it knows of numpy, and SciPy its OpenBLAS: that one waits for
    ever, and lets no other thread go on, where it gets no memory.
    """
    from icm_ray.ring.cells import within

    within(np.zeros(_CELLS, np.int64), _CELLS)
