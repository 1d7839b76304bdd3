"""How images come into a job: as ring elements that this process brings, or as numbers of those their owner reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.nn.batches import Batch
from analytics.nn.intake import Intake
from icm_ray.network.model import IMAGES
from icm_ray.network.scheme import Scheme
from icm_ray.query.image_tasks import ImageRows
from icm_ray.ring.array import RingArray

__all__ = ["Bringing", "GivenImages", "Inputs", "ReadImages"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a job has of images, by owner and name: arrays that are given, or how their owner makes them."""

    given: Mapping[str, Mapping[str, RingArray]] = field(default_factory=dict)
    tasks: Mapping[str, Mapping[str, ImageRows]] = field(default_factory=dict)


class Bringing(Protocol):
    """Of one owner's images to a model."""

    def taken(self, batch: Batch, masked: bool) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """What stands for the images of a batch, one for each, and which cannot be shared as is seen here.

        masked: whether there may be such; else what is wrong with the first is raised.
        """

    def inputs(self, images: NDArray[Any]) -> Inputs:
        """For a job on some of what was taken."""


@dataclass(frozen=True, slots=True)
class GivenImages:
    """`owner`'s images that are in this process: encoded here."""

    owner: str
    intake: Intake
    scheme: Scheme

    def taken(self, batch: Batch, masked: bool) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return self.intake.encoded(batch, self.scheme, masked)

    def inputs(self, images: NDArray[Any]) -> Inputs:
        return Inputs(given={self.owner: {IMAGES: images}})


@dataclass(frozen=True, slots=True)
class ReadImages:
    """`owner`'s images that its workers have as a table: each reads those of its jobs, and says what is wrong."""

    owner: str
    intake: Intake
    scheme: Scheme
    table: str

    def taken(self, batch: Batch, masked: bool) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return batch.rows, np.zeros(len(batch.rows), bool)

    def inputs(self, images: NDArray[Any]) -> Inputs:
        mean, std = (
            () if numbers is None else tuple(numbers.ravel().tolist())
            for numbers in (self.intake.mean, self.intake.std)
        )
        rows = ImageRows(
            table=self.table,
            rows=tuple(images.tolist()),
            f=self.scheme.input_f,
            bound=self.scheme.inputs,
            scale=self.intake.scale,
            mean=mean,
            std=std,
            whole=self.intake.whole,
        )
        return Inputs(tasks={self.owner: {IMAGES: rows}})
