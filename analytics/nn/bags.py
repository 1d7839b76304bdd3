"""Bags of embeddings, for export: written as a look-up of every token, and a sum, mean or maximum of what was found."""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ["bags"]


def bags(
    input: torch.Tensor,
    weight: torch.Tensor,
    offsets: torch.Tensor | None = None,
    *,
    max_norm: float | None = None,
    mode: str = "mean",
    per_sample_weights: torch.Tensor | None = None,
    padding_idx: int | None = None,
    **_of_gradients: object,
) -> torch.Tensor | None:
    """With the arguments of torch's `embedding_bag`; None for what is left to torch: bags of several lengths, tables
    that change, the maximum of what is left beside padding.
    """
    if input.ndim != 2 or offsets is not None or max_norm is not None or (mode == "max" and padding_idx is not None):
        return None
    rows = functional.embedding(input, weight)
    if mode == "max":
        return rows.amax(1)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if padding_idx is None:
        return rows.sum(1) if mode == "sum" else rows.mean(1)
    kept = (input != padding_idx % len(weight)).to(rows.dtype).unsqueeze(-1)
    total = (rows * kept).sum(1)
    return total if mode == "sum" else total / kept.sum(1).clamp(min=1)
