"""What needs tensors of each kind of layer, one file for each kind and one row each below."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from analytics.nn.layers.add import AddRules
from analytics.nn.layers.affine import AffineRules
from analytics.nn.layers.at_least import AtLeastRules
from analytics.nn.layers.avg_pool import AvgPoolRules
from analytics.nn.layers.bent import BentRules
from analytics.nn.layers.choose import ChooseRules
from analytics.nn.layers.concat import ConcatRules
from analytics.nn.layers.conv import ConvRules
from analytics.nn.layers.elu import EluRules
from analytics.nn.layers.expand import ExpandRules
from analytics.nn.layers.exponential import ExponentialRules
from analytics.nn.layers.flatten import FlattenRules
from analytics.nn.layers.leaves import LeavesRules
from analytics.nn.layers.linear import LinearRules
from analytics.nn.layers.logarithm import LogarithmRules
from analytics.nn.layers.matmul import MatMulRules
from analytics.nn.layers.max_pool import MaxPoolRules
from analytics.nn.layers.maximum import MaximumRules
from analytics.nn.layers.multiply import MultiplyRules
from analytics.nn.layers.normalise import NormaliseRules
from analytics.nn.layers.one_hot import OneHotRules
from analytics.nn.layers.order import OrderRules
from analytics.nn.layers.pad import PadRules
from analytics.nn.layers.permute import PermuteRules
from analytics.nn.layers.power import PowerRules
from analytics.nn.layers.quotient import QuotientRules
from analytics.nn.layers.relu import ReluRules
from analytics.nn.layers.resample import ResampleRules
from analytics.nn.layers.reshape import ReshapeRules
from analytics.nn.layers.rounded import RoundedRules
from analytics.nn.layers.rules import LayerRules
from analytics.nn.layers.scale import ScaleRules
from analytics.nn.layers.slice import SliceRules
from analytics.nn.layers.smooth import SmoothRules
from analytics.nn.layers.softmax import SoftmaxRules
from analytics.nn.layers.take import TakeRules
from icm_ray.network import layers
from icm_ray.network.layer import Layer

__all__ = ["RULES", "rules_of"]

RULES: Mapping[type[Layer], LayerRules[Any]] = MappingProxyType(
    {
        layers.Add: AddRules(),
        layers.Affine: AffineRules(),
        layers.AtLeast: AtLeastRules(),
        layers.AvgPool: AvgPoolRules(),
        layers.Bent: BentRules(),
        layers.Choose: ChooseRules(),
        layers.Concat: ConcatRules(),
        layers.Conv: ConvRules(),
        layers.Elu: EluRules(),
        layers.Expand: ExpandRules(),
        layers.Exponential: ExponentialRules(),
        layers.Flatten: FlattenRules(),
        layers.Leaves: LeavesRules(),
        layers.Linear: LinearRules(),
        layers.Logarithm: LogarithmRules(),
        layers.MatMul: MatMulRules(),
        layers.MaxPool: MaxPoolRules(),
        layers.Maximum: MaximumRules(),
        layers.Multiply: MultiplyRules(),
        layers.Normalise: NormaliseRules(),
        layers.OneHot: OneHotRules(),
        layers.Order: OrderRules(),
        layers.Pad: PadRules(),
        layers.Permute: PermuteRules(),
        layers.Power: PowerRules(),
        layers.Quotient: QuotientRules(),
        layers.Relu: ReluRules(),
        layers.Resample: ResampleRules(),
        layers.Reshape: ReshapeRules(),
        layers.Rounded: RoundedRules(),
        layers.Scale: ScaleRules(),
        layers.Slice: SliceRules(),
        layers.Smooth: SmoothRules(),
        layers.Softmax: SoftmaxRules(),
        layers.Take: TakeRules(),
    }
)


def rules_of(layer: Layer) -> LayerRules[Any]:
    """The rules of a layer's kind."""
    return RULES[type(layer)]
