"""Recurrent layers, step by step, and where they begin."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from tests.analytics.nn.operation import STEPS, Operation

__all__ = ["RECURRENT"]


class Steps(nn.Module):
    """A recurrent layer's results, or its last state."""

    def __init__(self, layer: nn.Module, last: bool) -> None:
        super().__init__()
        self.layer, self.last = layer, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made, state = self.layer(x)
        return (state[0] if isinstance(state, tuple) else state)[-1] if self.last else made


class Begun(nn.Module):
    """A recurrent layer that begins with what another knows in the end, which begins with numbers of the network's."""

    def __init__(self, kind: Callable[..., nn.Module], size: int) -> None:
        super().__init__()
        self.first, self.then = (kind(size, 2, batch_first=True) for _ in range(2))
        self.begin = nn.Parameter(torch.randn(1, 1, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        begin = self.begin.expand(-1, x.shape[0], -1).contiguous()
        known = self.first(x, (begin, 2 * begin) if isinstance(self.first, nn.LSTM) else begin)[1]
        return self.then(x, known)[0]


RECURRENT = {
    "lstm that begins with numbers": Operation(lambda s: Begun(nn.LSTM, s[-1]), STEPS, error=8.0),
    "lstm": Operation(lambda s: Steps(nn.LSTM(s[-1], 3, batch_first=True), True), STEPS, error=8.0),
    "lstm of two layers and directions": Operation(
        lambda s: Steps(nn.LSTM(s[-1], 2, 2, bidirectional=True, batch_first=True), False), STEPS, error=8.0
    ),
    "gru": Operation(lambda s: Steps(nn.GRU(s[-1], 3, batch_first=True), False), STEPS, error=8.0),
    "rnn": Operation(lambda s: Steps(nn.RNN(s[-1], 3, batch_first=True), True), STEPS, error=8.0),
}
