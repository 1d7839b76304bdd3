"""Networks with layers whose weights are whole numbers of 8 bits: computed with what these numbers stand for."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import torch

from icm_ray.errors import UnsupportedError

__all__ = ["dequantised"]

_QUANTISED: Final = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")
_RECURRENT: Final = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}


def dequantised(net: torch.nn.Module) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The network with plain layers in place of dynamically quantised ones, and a sentence where there are such.

    The network itself is not changed. Raises `UnsupportedError` naming a module that is quantised another way.
    """
    found = dict(_quantised(net))
    if not found:
        return net, ()
    plain = {path: _plain(path, module) for path, module in found.items()}
    if "" in plain:
        made = plain[""]
    else:
        made = copy.deepcopy(net)
        for path, module in plain.items():
            made.set_submodule(path, module)
    names = ", ".join(repr(path) if path else "the network itself" for path in plain)
    note = (
        f"dequantised: {names}; weights are what their 8 or 16 bits stand for, activations are not rounded to 8 bits,"
        " so that results differ a little from the quantised network's"
    )
    return made, (note,)


def _quantised(net: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """The outermost quantised modules, by path."""
    last: str | None = None
    for path, module in net.named_modules():
        if last is not None and path.startswith(f"{last}." if last else ""):
            continue
        if type(module).__module__.startswith(_QUANTISED):
            last = path
            yield path, module


def _plain(path: str, module: Any) -> torch.nn.Module:
    name, dynamic = type(module).__name__, ".dynamic" in type(module).__module__
    if dynamic and name == "Linear":
        made: torch.nn.Module = torch.nn.Linear(module.in_features, module.out_features, module.bias() is not None)
        found = {"weight": module.weight(), **({} if module.bias() is None else {"bias": module.bias()})}
    elif dynamic and name in _RECURRENT:
        made = _RECURRENT[name](
            module.input_size,
            module.hidden_size,
            module.num_layers,
            bias=module.bias,
            batch_first=module.batch_first,
            bidirectional=module.bidirectional,
        )
        found = {**module.get_weight(), **module.get_bias()}
    else:
        raise UnsupportedError(
            f"module {path!r} is quantised ({type(module).__module__}.{name}); give the network that it was made from."
            " Linear, LSTM and GRU of torch.ao.quantization.quantize_dynamic are taken as they are"
        )
    made.load_state_dict({key: _float(value) for key, value in found.items()})
    return made.eval()


def _float(value: torch.Tensor) -> torch.Tensor:
    plain = value.detach()
    return (plain.dequantize() if plain.is_quantized else plain).float()
