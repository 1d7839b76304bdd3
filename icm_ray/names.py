"""The names of the engine's own members; no party and no owner may bear them."""

from __future__ import annotations

from typing import Final

__all__ = ["DEALER", "DRIVER"]

DEALER: Final = "dealer"
DRIVER: Final = "driver"
