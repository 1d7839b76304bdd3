"""Distances between rows, for export: computed in one way, however many rows there are."""

from __future__ import annotations

import torch

__all__ = ["row_distances"]


def row_distances(
    x1: torch.Tensor, x2: torch.Tensor, p: float = 2.0, *_way: object, **_named_way: object
) -> torch.Tensor:
    """torch's `cdist`, without the way for more than 25 rows: where these are a batch, the number would count."""
    return torch.cdist(x1, x2, p, compute_mode="donot_use_mm_for_euclid_dist")
