"""torch's functions that are written otherwise for export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from torch.overrides import TorchFunctionMode

__all__ = ["ReplacedFunctions", "Replacements"]

Replacements: TypeAlias = Mapping[Callable[..., Any], Callable[..., Any]]


class ReplacedFunctions(TorchFunctionMode):
    """While it is entered, some of torch's functions are computed by others.

    by: by function what takes its arguments in its place, and returns None for what is left to torch. seen: what is
    told of every call that is left to torch, and of its result.
    """

    def __init__(self, by: Replacements, seen: Callable[..., None]) -> None:
        super().__init__()
        self._by, self._seen = by, seen

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        made = self._by[func](*args, **given) if func in self._by else None
        if made is not None:
            return made
        result = func(*args, **given)
        self._seen(func, args, given, result)
        return result
