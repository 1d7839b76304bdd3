"""What members keep between runs: what each key stands for was fixed when it was stored or loaded.

A program says again what it takes under a key, and it may come from anybody: one that names alice as the owner of bob's
weight would have the others send alice what unmasks it. So whoever keeps something holds every program to it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from icm_ray.errors import ProgramError
from icm_ray.ops.linear import Load, Store
from icm_ray.ops.products import LoadWeight, OwnedProduct
from icm_ray.ops.values import ValueType
from icm_ray.program.program import Program

__all__ = ["Kept", "hold_to_kept"]


_KEYED = (Load, Store, LoadWeight, OwnedProduct)


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a key stands for: shares of a value of this type, or a fixed weight of `owner`."""

    type: ValueType
    owner: str = ""


def hold_to_kept(
    program: Program, kept: Mapping[str, Kept], me: str, *, weights_alone: bool = False
) -> dict[str, Kept]:
    """Raise `ProgramError` where a program takes under a key what `me` does not keep there, or would put something else
    in its place; what it will keep, by key.

    weights_alone: for the dealer, which keeps nothing of values.
    """
    made: dict[str, Kept] = {}
    types = program.types()
    for index, node in program.outward:
        op, kind = node.op, types[index]
        if isinstance(op, _KEYED):
            if weights_alone and isinstance(op, Load | Store):
                continue
            found = made.get(op.key) or kept.get(op.key)
            match op:
                case LoadWeight():
                    if found is not None:
                        raise ProgramError(f"{op.key} was loaded before; a reload takes a new key")
                    made[op.key] = Kept(kind, op.owner)
                case Store():
                    said = Kept(kind)
                    if found is not None and found != said:
                        raise ProgramError(f"{me} keeps {_shown(found)} under {op.key}, not {_shown(said)}")
                    made[op.key] = said
                case Load():
                    if found is None or found.owner:
                        raise ProgramError(f"{me} keeps {'no value' if found else 'nothing'} under {op.key}")
                    _same(op.key, found, Kept(op.type), me)
                case OwnedProduct():
                    if found is None or not found.owner:
                        raise ProgramError(f"weight {op.key} was not loaded")
                    _same(op.key, found, Kept(op.weight, op.owner), me)
    return made


def _same(key: str, found: Kept, said: Kept, me: str) -> None:
    if found != said:
        raise ProgramError(f"{me} keeps {_shown(found)} under {key}, the program says {_shown(said)}")


def _shown(kept: Kept) -> str:
    kind = kept.type
    what = f"a weight of {kept.owner}" if kept.owner else "a value"
    return (
        f"{what} ({kind.kind}, shape {kind.shape}, {kind.f} fractional bits, width {kind.width}, error {kind.error:g})"
    )
