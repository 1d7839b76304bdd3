"""Questions to a model, as data, and the programs that follow from them: the same wherever they are derived."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from icm_ray.errors import UnsupportedError
from icm_ray.network.model import IMAGES, Lowered, PublicModel, lower
from icm_ray.ops import compare, linear, products
from icm_ray.program.build import Builder, Value
from icm_ray.program.program import Program

__all__ = ["ModelQuestion", "Output", "Prediction", "WeightLoad", "bias_name", "program_of"]

Output: TypeAlias = Literal["logits", "label"]


class _Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A question to a `model` whose weights `owner`, one of the `parties`, has; `owners`: members that are no party.

    version: told apart by it, the same model is loaded again under new keys: a weight is masked once under each.
    """

    model: PublicModel
    version: str
    parties: tuple[str, ...]
    owners: tuple[str, ...]
    owner: str

    def key(self, node: str) -> str:
        """Where the weight of a product stays."""
        return f"{self.model.fingerprint}.{self.version}.{node}"

    @property
    def keys(self) -> dict[str, str]:
        """Where all weights stay, by node."""
        return {name: self.key(name) for name in self.model.lowered.weights}


class WeightLoad(_Question, frozen=True, kw_only=True, tag_field="kind", tag="weight_load"):
    """The owner masks its weights, once for each lane."""

    def prediction(self, *, images: str, count: int, output: Output, to: str) -> Prediction:
        """A question to the model that is loaded so."""
        return Prediction(
            model=self.model,
            version=self.version,
            parties=self.parties,
            owners=self.owners,
            owner=self.owner,
            images=images,
            count=count,
            output=output,
            to=to,
        )

    @property
    def program(self) -> Program:
        """One load for each product, under its name as the owner gives it."""
        builder = Builder(self.parties, self.owners)
        for name, kind in self.model.lowered.weights.items():
            biased = self.model.graph.product(name).bias_key is not None
            named, size = (bias_name(name), kind.shape[0]) if biased else (None, 0)
            builder.add(products.LoadWeight(self.owner, name, self.key(name), kind, named, size))
        return builder.build()


class Prediction(_Question, frozen=True, kw_only=True, tag_field="kind", tag="prediction"):
    """What the model says of `count` images of `images`; the `output` goes to `to`, and nothing else is opened."""

    images: str
    count: int
    output: Output
    to: str

    @property
    def program(self) -> Program:
        """The layers on one batch of images, the check of the declared bound where there is one, one result."""
        builder = Builder(self.parties, self.owners)
        x = builder.add(linear.Input(self.images, IMAGES, self.model.images_type(self.count)))
        lowered = lower(builder, self.model.graph, self.model.scheme, self.owner, self.keys, x)
        result = lowered.result
        if self.output == "label":
            if len(result.type.shape) != 2:
                raise UnsupportedError(f"a label needs one axis of classes; the network makes {result.type.shape[1:]}")
            result = builder.add(compare.ArgMax(result.type.width + 1), result)
        else:
            result = builder.add(linear.AssumeWidth(result.type.width, self.model.error), result)
        if lowered.exceeded:
            result = builder.add(compare.CheckFlag("the activations"), result, _flag(builder, lowered))
        builder.add(linear.Reveal(self.to, self.output), result)
        return builder.build()


ModelQuestion: TypeAlias = WeightLoad | Prediction


def program_of(question: ModelQuestion) -> Program:
    """The program of a question; pure, so that every member derives the same one.

    Raises what the operations' typing raises where the model does not fit the ring.
    """
    return question.program


def _flag(builder: Builder, lowered: Lowered) -> Value:
    """Whether any activation was beyond the bound: 0 or 1."""
    total, *rest = lowered.exceeded
    for count in rest:
        total = builder.add(linear.Add(), total, count)
    return builder.add(compare.AtLeast(1, total.type.width + 1), total)


def bias_name(node: str) -> str:
    """Under which name the owner gives the bias of a product."""
    return f"{node}.bias"
