"""torch's functions that are written otherwise for export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from torch.overrides import TorchFunctionMode

__all__ = ["ReplacedFunctions", "Replacements"]

Replacements: TypeAlias = Mapping[Callable[..., Any], Callable[..., Any]]


class ReplacedFunctions(TorchFunctionMode):
    """While it is entered, some of torch's functions are computed by others.

    by: by function what takes its arguments in its place, and returns None for what is left to torch.
    """

    def __init__(self, by: Replacements) -> None:
        super().__init__()
        self._by = by

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        made = self._by[func](*args, **given) if func in self._by else None
        return func(*args, **given) if made is None else made
