"""Datasets of Ray that are mapped in tasks which take no CPU: what they ask for is computed elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["known_count", "mapped"]

_AT_ONCE: Final = 2
"""One batch is computed, the next is on its way."""


def known_count(dataset: Any) -> int | None:
    """How many rows a Dataset has, where Ray knows it without computing any."""
    from ray.data.dataset import MaterializedDataset

    return dataset.count() if isinstance(dataset, MaterializedDataset) else None


def mapped(dataset: Any, function: Callable[..., Any], keywords: Mapping[str, Any], rows: int) -> Any:
    """The Dataset of `function(batch, **keywords)`; nothing is computed yet. rows: of a batch, about."""
    from ray.data import TaskPoolStrategy

    return dataset.map_batches(
        function,
        fn_kwargs=dict(keywords),
        batch_size=rows,
        batch_format="numpy",
        compute=TaskPoolStrategy(_AT_ONCE),
        num_cpus=0,
    )
