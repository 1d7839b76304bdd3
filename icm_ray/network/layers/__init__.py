"""The kinds of layers: one file for each, with its shape, bounds, lowering and public errors; one row each below."""

from __future__ import annotations

from typing import TypeAlias, Union, get_args

from icm_ray.network.layer import Layer
from icm_ray.network.layers.add import Add
from icm_ray.network.layers.affine import Affine
from icm_ray.network.layers.at_least import AtLeast
from icm_ray.network.layers.avg_pool import AvgPool
from icm_ray.network.layers.bent import Bent
from icm_ray.network.layers.choose import Choose
from icm_ray.network.layers.concat import Concat
from icm_ray.network.layers.conv import Conv
from icm_ray.network.layers.elu import Elu
from icm_ray.network.layers.expand import Expand
from icm_ray.network.layers.exponential import Exponential
from icm_ray.network.layers.flatten import Flatten
from icm_ray.network.layers.leaves import Leaves
from icm_ray.network.layers.linear import Linear
from icm_ray.network.layers.logarithm import Logarithm
from icm_ray.network.layers.matmul import MatMul
from icm_ray.network.layers.max_pool import MaxPool
from icm_ray.network.layers.maximum import Maximum
from icm_ray.network.layers.multiply import Multiply
from icm_ray.network.layers.normalise import Normalise
from icm_ray.network.layers.on_domain import OnDomain
from icm_ray.network.layers.one_hot import OneHot
from icm_ray.network.layers.order import Order
from icm_ray.network.layers.pad import Pad
from icm_ray.network.layers.permute import Permute
from icm_ray.network.layers.power import Power
from icm_ray.network.layers.products import ProductLayer
from icm_ray.network.layers.quotient import Quotient
from icm_ray.network.layers.relu import Relu
from icm_ray.network.layers.resample import Resample
from icm_ray.network.layers.reshape import Reshape
from icm_ray.network.layers.rounded import Rounded
from icm_ray.network.layers.scale import Scale
from icm_ray.network.layers.slice import Slice
from icm_ray.network.layers.smooth import Smooth
from icm_ray.network.layers.softmax import Softmax
from icm_ray.network.layers.take import Take

__all__ = [
    "LAYERS",
    "Add",
    "Affine",
    "AnyLayer",
    "AtLeast",
    "AvgPool",
    "Bent",
    "Choose",
    "Concat",
    "Conv",
    "Elu",
    "Expand",
    "Exponential",
    "Flatten",
    "Leaves",
    "Linear",
    "Logarithm",
    "MatMul",
    "MaxPool",
    "Maximum",
    "Multiply",
    "Normalise",
    "OnDomain",
    "OneHot",
    "Order",
    "Pad",
    "Permute",
    "Power",
    "ProductLayer",
    "Quotient",
    "Relu",
    "Resample",
    "Reshape",
    "Rounded",
    "Scale",
    "Slice",
    "Smooth",
    "Softmax",
    "Take",
    "kind_of",
]

AnyLayer: TypeAlias = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    Add,
    Affine,
    AtLeast,
    AvgPool,
    Bent,
    Choose,
    Concat,
    Conv,
    Elu,
    Expand,
    Exponential,
    Flatten,
    Leaves,
    Linear,
    Logarithm,
    MatMul,
    MaxPool,
    Maximum,
    Multiply,
    Normalise,
    OneHot,
    Order,
    Pad,
    Permute,
    Power,
    Quotient,
    Relu,
    Resample,
    Reshape,
    Rounded,
    Scale,
    Slice,
    Smooth,
    Softmax,
    Take,
]

LAYERS: tuple[type[Layer], ...] = get_args(AnyLayer)


def kind_of(layer: Layer | type[Layer]) -> str:
    """The name of the kind, as it stands in an encoded graph."""
    taken = layer if isinstance(layer, type) else type(layer)
    return str(taken.__struct_config__.tag)
