"""Where in a network something comes from: the path of the module, and the line of its code."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import fx
from torch.nn.utils.rnn import PackedSequence

__all__ = ["module_path", "packs_sequences", "place_of_error", "source_of", "source_of_module"]

_TORCH = str(Path(torch.__file__).parent)
_KERAS = os.sep.join(("", "keras", "src", ""))
_PYTHON = sysconfig.get_path("stdlib")
_HERE = str(Path(__file__).parent)
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def module_path(node: fx.Node) -> str:
    """The path of the innermost module that an operation came from, such as 'layer1.0.conv1'; '' for the root."""
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return ""
    path: str = list(stack.values())[-1][0]
    return re.sub(r"@\d+", "", path).removeprefix("L['self']").removeprefix(".")  # torch marks a second call with @1


def source_of(node: fx.Node) -> str:
    """The line of the network's own code that an operation came from, as 'net.py:12'; '' where torch does not know."""
    frames = _FRAME.findall(str(node.meta.get("stack_trace", "")))
    return next((_line(file, number) for file, number in reversed(frames) if _is_users(file)), "")


def source_of_module(module: torch.nn.Module) -> str:
    """The line where its own `forward` begins; '' for one of torch's."""
    code = getattr(type(module).forward, "__code__", None)
    return _line(code.co_filename, code.co_firstlineno) if code and _is_users(code.co_filename) else ""


def place_of_error(error: BaseException, net: torch.nn.Module) -> tuple[str, str]:
    """The path of the innermost module of `net` that was being called, and the line of its code; '' if unknown."""
    paths = {id(module): path for path, module in net.named_modules()}
    module = source = ""
    for fault in _chain(error):
        for frame, number in traceback.walk_tb(fault.__traceback__):
            module = paths.get(id(frame.f_locals.get("self")), module)
            if _is_users(frame.f_code.co_filename):
                source = _line(frame.f_code.co_filename, number)
    return module, source


def packs_sequences(error: BaseException) -> bool:
    """Whether sequences were being packed, or packed ones read, where it was raised."""
    frames = (frame for fault in _chain(error) for frame, _ in traceback.walk_tb(fault.__traceback__))
    return any(
        frame.f_code.co_name == "pack_padded_sequence"
        or any(isinstance(local, PackedSequence) for local in frame.f_locals.values())
        for frame in frames
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_users(file: str) -> bool:
    of_python = file.startswith(_PYTHON) and "site-packages" not in file
    return not of_python and _KERAS not in file and not file.startswith((_TORCH, _HERE, "<"))


def _line(file: str, number: int | str) -> str:
    return f"{Path(file).name}:{number}"
