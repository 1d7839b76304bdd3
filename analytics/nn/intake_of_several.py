"""scale= and normalize= of networks with several inputs: one for each, or one for all that hold real numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analytics.nn.intake import Intake
from analytics.nn.sources.packed import Input
from icm_ray.errors import InputError

__all__ = ["intake_of_several"]


def intake_of_several(scale: Any, normalize: Any, inputs: Sequence[Input], *, named: bool) -> Intake:
    """What becomes of the inputs' numbers side by side.

    scale, normalize: as `Intake.of` takes them, for all inputs of real numbers; or dicts of such by the inputs' names,
    where they have none by their places. Raises `InputError` for names that are none, and for inputs of whole numbers
    or truth values; what `Intake.of` raises.
    """
    keys: list[Any] = [one.name for one in inputs] if named else list(range(len(inputs)))
    scales = _by_input(scale, "scale", 1.0, keys, inputs)
    normalised = _by_input(normalize, "normalize", None, keys, inputs)
    each = []
    for one, factor, pair in zip(inputs, scales, normalised, strict=True):
        try:
            each.append(Intake.of(factor, pair, one.shape))
        except InputError as error:
            raise type(error)(f"{one.name}: {error.message}", **error.where) from None
    if not any(intake.changes for intake in each):
        return Intake()
    mean, std = [], []
    for intake, one in zip(each, inputs, strict=True):
        centre, width = (0.0, 1.0) if intake.mean is None or intake.std is None else (intake.mean, intake.std)
        mean.append(np.broadcast_to(np.divide(centre, intake.scale), one.shape).ravel())
        std.append(np.broadcast_to(np.divide(width, intake.scale), one.shape).ravel())
    return Intake(1.0, np.concatenate(mean), np.concatenate(std))


def _by_input(given: Any, what: str, none: Any, keys: Sequence[Any], inputs: Sequence[Input]) -> list[Any]:
    """What is given for each input, in order."""
    if not isinstance(given, Mapping):
        return [given if one.kind == "real" else none for one in inputs]
    if unknown := [key for key in given if key not in keys]:
        raise InputError(
            f"{what}: {', '.join(map(repr, unknown))} is no input; the network has {', '.join(map(repr, keys))}"
        )
    kinds = {key: one.kind for key, one in zip(keys, inputs, strict=True)}
    if unfit := [key for key in given if kinds[key] != "real"]:
        raise InputError(f"{what}: the input {unfit[0]!r} takes whole numbers or truth values as they are")
    return [given.get(key, none) for key in keys]
