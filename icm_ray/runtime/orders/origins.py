"""What a program follows from: whoever contributes to it derives it from that, rather than believe the driver."""

from __future__ import annotations

from typing import Union

import msgspec

from icm_ray.payload import Name, Natural, Word32

__all__ = ["Free", "FromPrediction", "FromQuestion", "Origin"]


class FromQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="question"):
    """Program number `stage` of what is asked (`icm_ray.query.question.encode_asked`).

    For organisations whose people approve: purpose: of a sharing, the question that it is for. shared: the sharings
    that make all shares that this question, or the one that is asked, is about.
    """

    asked: bytes
    stage: Natural
    shared: tuple[bytes, ...] = ()
    purpose: bytes = b""


class FromPrediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="prediction"):
    """The program of a question to a model (`icm_ray.network.programs.encode_model_question`): it takes what the driver
    brings, and no rows of any dataset.

    Of what is for another organisation, as the asker states it: run: a name that all of its jobs have; first: the place
    of the job's first image.
    """

    asked: bytes
    run: Name = ""
    first: Word32 = 0


class Free(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="free"):
    """Nothing: a program written by hand. Taken where the settings say `free_programs`."""


Origin = Union[FromQuestion, FromPrediction, Free]  # noqa: UP007 - msgspec takes the members from a typing.Union
