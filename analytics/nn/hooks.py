"""Hooks of the user's modules: left out of an export, which would call them on tensors without values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules import module as modules

from analytics.nn.findings import Finding

__all__ = ["hooked", "hooks_that_change", "without_hooks"]

_OF_ALL_MODULES = (modules._global_forward_hooks, modules._global_forward_pre_hooks)
_KINDS = ("_forward_hooks", "_forward_pre_hooks")


def hooked(net: torch.nn.Module) -> list[str]:
    """The paths of modules with forward hooks that torch itself did not put there (as weight_norm does)."""
    return [path for path, module in net.named_modules() if any(_users(module, kind) for kind in _KINDS)]


@contextmanager
def without_hooks(net: torch.nn.Module) -> Iterator[None]:
    """The user's forward hooks, also those of all modules, are not called within; afterwards they are there again."""
    kept: list[tuple[dict[str, Any], str, Any]] = []
    everywhere = [(hooks, dict(hooks)) for hooks in _OF_ALL_MODULES]
    try:
        for hooks, _ in everywhere:
            hooks.clear()
        for module in net.modules():
            for kind in _KINDS:
                users = _users(module, kind)
                if users:
                    facts = module.__dict__
                    kept.append((facts, kind, facts[kind]))
                    facts[kind] = OrderedDict((key, hook) for key, hook in facts[kind].items() if key not in users)
        yield
    finally:
        for facts, kind, hooks in kept:
            facts[kind] = hooks
        for theirs, before in everywhere:
            theirs.update(before)


def hooks_that_change(net: torch.nn.Module, example: torch.Tensor) -> tuple[Finding, ...]:
    """A finding for each module with a hook, where the result is another one with hooks than without; else none.

    example: one batch; the network computes it twice.
    """
    paths = hooked(net)
    if not paths:
        return ()
    with torch.no_grad():
        called = net(example)
        with without_hooks(net):
            plain = net(example)
    both = isinstance(called, torch.Tensor) and isinstance(plain, torch.Tensor)
    if both and torch.equal(torch.nan_to_num(called), torch.nan_to_num(plain)):
        return ()
    why = "its hook changes what the network computes; make it a part of forward()"
    return tuple(Finding(path, "forward hook", why) for path in paths)


def _users(module: torch.nn.Module, kind: str) -> set[int]:
    hooks: dict[int, Callable[..., Any]] = module.__dict__.get(kind) or {}
    return {key for key, hook in hooks.items() if not _is_torchs(hook)}


def _is_torchs(hook: Callable[..., Any]) -> bool:
    home = getattr(hook, "__module__", None) or type(hook).__module__
    return home == "torch" or home.startswith("torch.")
