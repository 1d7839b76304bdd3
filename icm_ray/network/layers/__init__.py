"""The kinds of layers: one file for each, with its shape, bounds, lowering and public errors; one row each below."""

from __future__ import annotations

from typing import TypeAlias, Union, get_args

from icm_ray.network.layer import Layer
from icm_ray.network.layers.add import Add
from icm_ray.network.layers.affine import Affine
from icm_ray.network.layers.avg_pool import AvgPool
from icm_ray.network.layers.concat import Concat
from icm_ray.network.layers.conv import Conv
from icm_ray.network.layers.flatten import Flatten
from icm_ray.network.layers.linear import Linear
from icm_ray.network.layers.max_pool import MaxPool
from icm_ray.network.layers.pad import Pad
from icm_ray.network.layers.permute import Permute
from icm_ray.network.layers.products import ProductLayer
from icm_ray.network.layers.relu import Relu
from icm_ray.network.layers.reshape import Reshape
from icm_ray.network.layers.scale import Scale
from icm_ray.network.layers.slice import Slice

__all__ = [
    "LAYERS",
    "Add",
    "Affine",
    "AnyLayer",
    "AvgPool",
    "Concat",
    "Conv",
    "Flatten",
    "Linear",
    "MaxPool",
    "Pad",
    "Permute",
    "ProductLayer",
    "Relu",
    "Reshape",
    "Scale",
    "Slice",
    "kind_of",
]

AnyLayer: TypeAlias = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    Add,
    Affine,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    Pad,
    Permute,
    Relu,
    Reshape,
    Scale,
    Slice,
]

LAYERS: tuple[type[Layer], ...] = get_args(AnyLayer)


def kind_of(layer: Layer | type[Layer]) -> str:
    """The name of the kind, as it stands in an encoded graph."""
    taken = layer if isinstance(layer, type) else type(layer)
    return str(taken.__struct_config__.tag)
