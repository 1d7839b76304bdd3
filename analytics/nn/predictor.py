"""A model as a class for `ray.data.Dataset.map_batches`: its instances ask the session's own process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.nn.sources.columns import image_column
from analytics.nn.sources.plain import plain
from icm_ray.errors import IcmError, ShapeError
from icm_ray.payload import decode
from icm_ray.runtime.orders import messages as say

if TYPE_CHECKING:
    from icm_ray.runtime.carriers.desk import DeskAddress

__all__ = ["ModelHandle", "SecurePredictor", "answering"]

_MOST: Final = 32 << 20
"""Bytes of images that are asked about at a time."""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Arrays by name, as (dtype, shape, bytes)."""

    arrays: dict[str, tuple[str, tuple[int, ...], bytes]]

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]]) -> Columns:
        """Numbers alone."""
        return cls({name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()})

    def plain(self) -> dict[str, NDArray[Any]]:
        """The arrays. Raises `ValueError` and `TypeError` where they are none."""
        return {
            name: np.frombuffer(words, np.dtype(kind)).reshape(shape).copy()
            for name, (kind, shape, words) in self.arrays.items()
        }


_ENCODER: Final = msgspec.msgpack.Encoder()
_COLUMNS: Final[msgspec.msgpack.Decoder[Columns]] = msgspec.msgpack.Decoder(Columns)
_ANSWERS: Final[msgspec.msgpack.Decoder[Columns | say.Failed]] = msgspec.msgpack.Decoder(Columns | say.Failed)


@dataclass(frozen=True, slots=True)
class ModelHandle:
    """A model of a session, to be asked by other processes of its Ray cluster: `SecureModel.handle` makes it.

    It is picklable, and holds addresses and certificates, no keys. It serves as long as the model and the session do.

    Args:
        desk: Where the session's process listens.
        shape: Of an image.
        column: Under which name batches have the images; None: the only column of that shape.

    Examples:
        >>> model.handle(owner="bob", to="bob", output="label")  # doctest: +SKIP
        ModelHandle(...)
    """

    desk: DeskAddress
    shape: tuple[int, ...]
    column: str | None


class SecurePredictor:
    """Predicts on batches of a `ray.data.Dataset`; each batch goes to the session's process over a link of its own.

    The columns of a batch are kept, but for the images, in whose place the prediction stands. `model.predict(dataset,
    ...)` does the same from the session's process, and needs no actors.

    Args:
        handle: Of a model, from `SecureModel.handle`.

    Raises:
        FaultError: The session's process is not reached.

    Examples:
        >>> handle = model.handle(owner="bob", to="bob", output="label")  # doctest: +SKIP
        >>> dataset.map_batches(an.SecurePredictor, fn_constructor_args=(handle,), batch_format="numpy",
        ...                     concurrency=1, num_cpus=0)  # doctest: +SKIP
    """

    def __init__(self, handle: ModelHandle) -> None:
        from icm_ray.runtime.carriers.desk import DeskVisitor

        self._handle, self._desk = handle, DeskVisitor(handle.desk)

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The batch with its predictions."""
        fit = [name for name, values in batch.items() if np.shape(values)[1:] == self._handle.shape]
        name = image_column(fit, self._handle.column, list(batch))
        images = plain(batch[name], f"column {name!r}")
        kept = {other: values for other, values in batch.items() if other != name}
        if not len(images):
            return kept
        rows = max(1, _MOST // max(1, images[0].nbytes))
        parts = [self._ask(images[start : start + rows]) for start in range(0, len(images), rows)]
        return kept | {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}

    def _ask(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        answer = decode(
            self._desk.ask(_ENCODER.encode(Columns.of({"images": images}))), _ANSWERS, "an answer", "driver"
        )
        if isinstance(answer, say.Failed):
            raise answer.error()
        return answer.plain()


def answering(predict: Any, owner: str, question: bytes) -> bytes:
    """The answer to a predictor: columns of `predict(images)`, a prediction, revealed; or why not."""
    try:
        asked = decode(question, _COLUMNS, "images", "predictor")
        try:
            (images,) = asked.plain().values()
        except (ValueError, TypeError):
            raise ShapeError("a predictor sends one array of images") from None
        batches = list(predict(images))
        columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0] if name != "row"}
        return _ENCODER.encode(Columns.of(columns))
    except IcmError as error:
        return say.encode(say.failed(0, error, owner))
