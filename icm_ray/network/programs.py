"""Questions to a model, as data, and the programs that follow from them: the same wherever they are derived."""

from __future__ import annotations

from typing import Annotated, TypeAlias, Union

import msgspec

from icm_ray.errors import IcmError, ProgramError
from icm_ray.network.budget import NetworkBuilder
from icm_ray.network.model import IMAGES, Lowered, PublicModel, lower
from icm_ray.network.outputs import Output, add_output
from icm_ray.ops import compare, linear, products
from icm_ray.ops.labels import Label
from icm_ray.payload import Name, Natural, decode_request
from icm_ray.program.build import Builder, Value
from icm_ray.program.derived_name import derived_name
from icm_ray.program.program import Program

__all__ = [
    "ModelQuestion",
    "Output",
    "PredictionQuestion",
    "WeightLoad",
    "bias_name",
    "decode_model_question",
    "encode_model_question",
    "program_of",
]


class _Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question to a `model` whose weights `owner`, a party, has.

    version: told apart by it, the same model is loaded again under new keys: a weight is masked once under each.
    """

    model: PublicModel
    version: Name
    owner: Name

    def key(self, node: str) -> str:
        """Where the weight of a product stays: derived from what it is, so that whoever derives a program agrees."""
        return derived_name("weight", self.model.fingerprint, self.version, self.owner, node)

    def keys(self) -> dict[str, str]:
        """Where all weights stay, by node."""
        return {name: self.key(loader) for name, loader in self.model.graph.loaders.items()}


class WeightLoad(_Question, frozen=True, kw_only=True, tag="weight_load"):
    """The owner masks its weights, once for each lane.

    quota: on how many images of whom the owner's worker of the lane lets the model predict; others are not counted.
    account: under which name it counts, so that weights which are loaded again go on with it.
    """

    quota: dict[Name, Natural] = {}
    account: Name = ""

    def prediction(
        self, *, images: str, count: int, output: Output, to: str, k: int = 0, threshold: float = 0.0
    ) -> PredictionQuestion:
        """A question to the model that is loaded so."""
        return PredictionQuestion(
            model=self.model,
            version=self.version,
            owner=self.owner,
            images=images,
            count=count,
            output=output,
            to=to,
            k=k,
            threshold=threshold,
        )

    def add_to(self, builder: Builder) -> None:
        """One load for each product, under its name as the owner gives it."""
        for name, kind in self.model.lowered.weights.items():
            if self.model.graph.loaders[name] != name:
                continue
            biased = self.model.graph.product(name).bias_key is not None
            named, size = (bias_name(name), kind.shape[0]) if biased else (None, 0)
            builder.add(products.LoadWeight(self.owner, name, self.key(name), kind, named, size))


class PredictionQuestion(_Question, frozen=True, kw_only=True, tag="prediction"):
    """What the model says of `count` images of `images`; the `output` goes to `to`, and nothing else is opened.

    k: of "top_k"; threshold: of "above".
    """

    images: Name
    count: Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]
    output: Output
    to: Name
    k: Natural = 0
    threshold: float = 0.0

    def add_to(self, builder: Builder) -> None:
        """The layers on one batch of images, the check of the declared bound where there is one, one result."""
        images = Label(f"{IMAGES} of {self.images}", self.images, ((0, self.count),))
        x = builder.add(linear.Input(self.images, IMAGES, self.model.images_type(self.count), (images,)))
        lowered = lower(builder, self.model.graph, self.model.scheme, self.owner, self.keys(), x)
        result = add_output(builder, lowered.result, self.model.error, self.output, self.k, self.threshold)
        if lowered.exceeded:
            result = builder.add(compare.CheckFlag("the activations"), result, _flag(builder, lowered))
        builder.add(linear.Reveal(self.to, self.output), result)


ModelQuestion: TypeAlias = Union[WeightLoad, PredictionQuestion]  # noqa: UP007 - msgspec takes a typing.Union

_DECODER: msgspec.msgpack.Decoder[ModelQuestion] = msgspec.msgpack.Decoder(ModelQuestion)


def encode_model_question(question: ModelQuestion) -> bytes:
    """As msgpack."""
    return msgspec.msgpack.encode(question)


def decode_model_question(payload: bytes) -> ModelQuestion:
    """What someone else asked; raises `ProgramError` where it is not well formed."""
    return decode_request(payload, _DECODER, "a question to a model")


def program_of(question: ModelQuestion, parties: tuple[str, ...], owners: tuple[str, ...] = ()) -> Program:
    """The program of a question; pure, so that every member derives the same one.

    parties: in order; owners: external ones. Raises `ProgramError` for a question that cannot be, or needs more cells,
    public numbers or operations than a program may have, and what the operations' typing raises where the model does
    not fit the ring (`TooWide`) or names are not in the session (`OwnerError`).
    """
    builder = NetworkBuilder(parties, owners)
    try:
        question.add_to(builder)
        return builder.build()
    except IcmError:
        raise
    except (ArithmeticError, ValueError, LookupError, TypeError) as error:  # numbers that no model can have
        raise ProgramError(f"a question to a model that cannot be: {error}") from error


def _flag(builder: Builder, lowered: Lowered) -> Value:
    """Whether any value was beyond its bound: 0 or 1. Counts are added in pairs: a bit for each doubling of them."""
    counts = list(lowered.exceeded)
    while len(counts) > 1:
        pairs = [builder.add(linear.Add(), *pair) for pair in zip(counts[::2], counts[1::2], strict=False)]
        counts = pairs + counts[2 * len(pairs) :]
    (total,) = counts
    return builder.add(compare.AtLeast(1, total.type.width + 1), total)


def bias_name(node: str) -> str:
    """Under which name the owner gives the bias of a product."""
    return f"{node}.bias"
