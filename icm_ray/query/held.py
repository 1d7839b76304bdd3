"""What an owner's instance has in its catalogue for predictions, named without saying where it lies."""

from __future__ import annotations

from typing import Annotated

import msgspec

from icm_ray.payload import Shape

__all__ = ["HeldImageSource", "HeldWeight"]

_Name = Annotated[str, msgspec.Meta(max_length=256)]


class HeldImageSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="source", tag="held pictures"):
    """Pictures of the catalogue, as images of the shape that a network takes."""

    dataset: _Name
    shape: Shape


class HeldWeight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="task", tag="held weight"):
    """The weight, or bias, of a model of the catalogue that has the input's name."""

    model: _Name
