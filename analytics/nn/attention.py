"""torch's multi-head attention with the batch in front, for export: its own moves it behind the tokens, and merges it
with the heads.
"""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ["attention"]


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    embed_dim_to_check: int,  # noqa: ARG001 - torch's arguments
    num_heads: int,
    in_proj_weight: torch.Tensor | None,
    in_proj_bias: torch.Tensor | None,
    bias_k: torch.Tensor | None,
    bias_v: torch.Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,  # noqa: ARG001
    out_proj_weight: torch.Tensor,
    out_proj_bias: torch.Tensor | None,
    training: bool = True,
    key_padding_mask: torch.Tensor | None = None,
    need_weights: bool = True,
    attn_mask: torch.Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: torch.Tensor | None = None,
    k_proj_weight: torch.Tensor | None = None,
    v_proj_weight: torch.Tensor | None = None,
    static_k: torch.Tensor | None = None,
    static_v: torch.Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,  # noqa: ARG001 - a hint about the mask, which is given too
) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """softmax(q k^T / sqrt(d)) v for each head, with the arguments of torch's `multi_head_attention_forward`, values
    (tokens, batch, features); None for what is left to torch: extra keys, masks of single heads.
    """
    extra = (bias_k, bias_v, static_k, static_v)
    if any(item is not None for item in extra) or add_zero_attn or training or query.dim() != 3:
        return None
    if attn_mask is not None and attn_mask.dim() != 2:
        return None
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    weights = separate if use_separate_proj_weight or in_proj_weight is None else in_proj_weight.chunk(3)
    biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    made = []
    for x, weight, bias in zip((query, key, value), weights, biases, strict=True):
        if weight is None:
            return None
        wide = functional.linear(x.transpose(0, 1), weight, bias)
        heads = wide.reshape(*wide.shape[:2], num_heads, wide.shape[2] // num_heads)
        made.append(heads.transpose(1, 2))
    q, k, v = made
    padding = None if key_padding_mask is None else _added(key_padding_mask, q.dtype)[:, None, None, :]
    if padding is not None:  # for each row of the batch
        attn_mask = padding if attn_mask is None else _added(attn_mask, q.dtype) + padding
    closed = attn_mask if attn_mask is not None and attn_mask.dtype == torch.bool else None  # True: takes no part
    added = None if closed is not None else attn_mask
    mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=added if closed is None else ~closed)
    out = functional.linear(mixed.transpose(1, 2).flatten(2), out_proj_weight, out_proj_bias).transpose(0, 1)
    if not need_weights:
        return out, None
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    scores = scores if added is None else scores + added
    scores = scores if closed is None else scores.masked_fill(closed, -torch.inf)
    shares = scores.softmax(-1)
    return out, shares.mean(1) if average_attn_weights else shares


def _added(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What a mask adds to scores: minus infinity where it is true."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -torch.inf)
