"""One form of a prediction, as the owner of its model or of its pictures approves it: derived from the own catalogue
and from what is computed, whichever session asks.

An approval is for that form: model and graph, whose images or which pictures, the output, who hears it, and whose
workers take part. On how many images it predicts, uses of the approval count.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from icm_ray.errors import IcmError, PolicyError
from icm_ray.network.outputs import Output
from icm_ray.payload import Name, Natural, decode_request
from icm_ray.runtime.orders.house import PredictionFacts

__all__ = ["AskedPrediction", "PredictionForm", "decode_prediction", "form_of"]

_MOST: Final = 1 << 32
Digits = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
Part = Literal["model", "pictures"]


class AskedPrediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an asker requests. graph: of the model, as owners of pictures agree to it. images: on how many at most, of
    `images_owner`'s. k: of "top_k"; threshold: of "above". to: who hears the output; "": the asker.
    """

    model_owner: Name
    images_owner: Name
    graph: Digits
    output: Output
    images: Annotated[int, msgspec.Meta(ge=1, lt=_MOST)]
    k: Natural = 0
    threshold: float = 0.0
    to: Name = ""


_ASKED: Final = msgspec.msgpack.Decoder(AskedPrediction)


def decode_prediction(payload: bytes, me: str) -> AskedPrediction:
    """Raises `PolicyError` for what is none."""
    try:
        return decode_request(payload, _ASKED, "a prediction")
    except IcmError:
        raise PolicyError(f"{me} refuses: this is no prediction that can be approved", party=me) from None


class PredictionForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As the owner `me` has it. part: what of it is its own, under its name and version there (`versions`). to: who
    hears the output. images: how many one use is for, which is none of the form.
    """

    me: Name
    part: Part
    versions: tuple[tuple[str, str], ...]
    graph: str
    model_owner: Name
    images_owner: Name
    output: Output
    k: Natural
    threshold: float
    to: Name
    parties: tuple[Name, ...]
    images: Natural = 0

    @property
    def digest(self) -> str:
        """Equal for equal forms alone."""
        return hashlib.sha256(msgspec.msgpack.encode(replace(self, images=0))).hexdigest()

    @property
    def in_one_line(self) -> str:
        """Which output, of which model, on which and how many images."""
        ((name, _),) = self.versions
        more = {"top_k": f" (k={self.k})", "above": f" (threshold {self.threshold:g})"}.get(self.output, "")
        model = f"{self.model_owner}'s model {name}" if self.part == "model" else f"a model of {self.model_owner}'s"
        pictures = f"{self.me}'s pictures {name}" if self.part == "pictures" else f"images of {self.images_owner}'s"
        return f"prediction of {self.output}{more} by {model} on {pictures}, {self.images} at most with each use"

    @property
    def in_words(self) -> str:
        """What would be opened, to whom: lines of text."""
        return "\n".join(
            (
                self.in_one_line,
                f"  graph of the model, and what becomes of images before it: {self.graph}",
                f"  to: {self.to} alone, of each image {_OPENED[self.output]}; weights and images stay shares",
                *_guarded(self.part, self.model_owner),
            )
        )


_OPENED: Final[dict[str, str]] = {
    "label": "the class that it is taken for",
    "top_k": "its likeliest classes, in order",
    "above": "whether each result is the threshold or more",
    "probabilities": "the probability of each class",
    "logits": "all results of the network",
}


def _guarded(part: Part, model_owner: str) -> tuple[str, ...]:
    if part == "model":
        return ("  rule: the model's outputs and its quota of images hold beside an approval",)
    return (
        f"  beware: nothing is known here of {model_owner}'s weights; made for it, they tell other things by labels",
    )


def form_of(
    me: str,
    part: Part,
    named: tuple[str, str],
    graph: str,
    asked: PredictionFacts | AskedPrediction,
    asker: str,
    parties: tuple[str, ...],
) -> PredictionForm:
    """Of what is requested, or of what a worker is to compute. named: the own model, or pictures, and their version."""
    images = asked.images if isinstance(asked, AskedPrediction) else 0
    return PredictionForm(
        me,
        part,
        (named,),
        graph,
        asked.model_owner,
        asked.images_owner,
        asked.output,
        asked.k,
        asked.threshold,
        asked.to or asker,
        parties,
        images,
    )
