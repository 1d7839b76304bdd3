"""A model as a class for `ray.data.Dataset.map_batches`: its instances ask the session's own process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.nn.sources.number_kind import NumberKind
from analytics.nn.sources.ray_dataset import ImageColumn, InputColumns
from icm_ray.errors import ColumnError, IcmError, InputError, ShapeError
from icm_ray.payload import Name, decode
from icm_ray.runtime.orders import messages as say

if TYPE_CHECKING:
    from icm_ray.runtime.carriers.desk import DeskAddress, DeskVisitor

__all__ = ["ModelHandle", "SecurePredictor", "answering", "predicted"]

_MOST: Final = 32 << 20
"""Bytes of images that are asked about at a time."""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Arrays by name, as (dtype, shape, bytes). run: of a question, which Dataset's rows these are."""

    arrays: dict[str, tuple[str, tuple[int, ...], bytes]]
    run: Name = ""

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]], run: str = "") -> Columns:
        """Numbers alone."""
        return cls({name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}, run)

    def plain(self) -> dict[str, NDArray[Any]]:
        """The arrays. Raises `ValueError` and `TypeError` where they are none."""
        return {
            name: np.frombuffer(words, np.dtype(kind)).reshape(shape).copy()
            for name, (kind, shape, words) in self.arrays.items()
        }


_ENCODER: Final = msgspec.msgpack.Encoder()
_COLUMNS: Final[msgspec.msgpack.Decoder[Columns]] = msgspec.msgpack.Decoder(Columns)
_ANSWERS: Final[msgspec.msgpack.Decoder[Columns | say.Failed]] = msgspec.msgpack.Decoder(Columns | say.Failed)


@dataclass(frozen=True)
class ModelHandle:
    """A model of a session, to be asked by other processes of its Ray cluster: `SecureModel.handle` makes it.

    It is picklable, and holds addresses and certificates, no keys. It serves as long as the model and the session do;
    in the model's own process it keeps the model.

    Args:
        desk: Where the session's process listens.
        shape: Of an image; of several inputs, that of their numbers side by side.
        column: Under which name batches have the images; None: the only column of that shape.
        ids: The column of ids, which is then the only one that is kept; None: all others are.
        skip: Ids of rows that are left out.
        outputs: The columns of a prediction, with their types and the shapes of cells.
        run: The name of whatever rows are predicted on: all are floats, or all integers.
        inputs: Of a network with several inputs, which are columns by their names: names and shapes.
        model: What it keeps. It is not pickled.

    Examples:
        >>> model.handle(owner="bob", to="bob", output="label")  # doctest: +SKIP
        ModelHandle(...)
    """

    desk: DeskAddress
    shape: tuple[int, ...]
    column: str | None
    ids: str | None = None
    skip: frozenset[Any] = frozenset()
    outputs: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
    run: str = ""
    inputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    model: Any = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "model": None}

    def nothing(self) -> dict[str, NDArray[Any]]:
        """The prediction's columns without a row.

        Returns:
            Empty arrays by name.

        Examples:
            >>> model.handle(owner="bob").nothing()  # doctest: +SKIP
            {'label': array([], dtype=int64)}
        """
        return {name: np.zeros((0, *shape), kind) for name, kind, shape in self.outputs}


class SecurePredictor:
    """Predicts on batches of a `ray.data.Dataset`; each batch goes to the session's process over a link of its own.

    The columns of a batch are kept, but for the images, in whose place the prediction stands. `model.predict(dataset,
    ...).reveal(to=...)` is a Dataset that does the same in tasks, and needs no actors.

    Args:
        handle: Of a model, from `SecureModel.handle`.

    Raises:
        InputError: Batches that are no dicts of arrays (batch_format="numpy"); when one comes. An image that cannot be
            shared is named by its id, where the handle has ids.
        ColumnError: Batches have a column of the prediction's name, which would be lost; when one comes.
        FaultError: The session's process is not reached, when the first batch is asked about.

    Examples:
        >>> handle = model.handle(owner="bob", to="bob", output="label")  # doctest: +SKIP
        >>> dataset.map_batches(an.SecurePredictor, fn_constructor_args=(handle,), batch_format="numpy",
        ...                     compute=ray.data.ActorPoolStrategy(size=1), num_cpus=0)  # doctest: +SKIP
    """

    def __init__(self, handle: ModelHandle) -> None:
        self._handle = handle
        self._desk: DeskVisitor | None = None
        self._image = ImageColumn(handle.shape, handle.column, handle.ids)
        self._inputs = InputColumns(handle.inputs, handle.ids) if handle.inputs else None

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The batch with its predictions."""
        if not isinstance(batch, Mapping):
            raise InputError(
                f"a batch is a dict of arrays by column, not a {type(batch).__name__}: map_batches(..., "
                'batch_format="numpy")'
            )
        images, ids = self._images(batch), self._handle.ids
        kept = {name: values for name, values in batch.items() if name == ids or (not ids and name not in images)}
        if taken := sorted(kept.keys() & {name for name, _, _ in self._handle.outputs}):
            raise ColumnError(
                f"the column {taken[0]!r} of the rows has the name of what is predicted: rename it, or keep ids alone "
                "(id_column=)"
            )
        if ids is not None and self._handle.skip:
            left = np.array([one not in self._handle.skip for one in batch[ids].tolist()], bool)
            images, kept = {name: values[left] for name, values in images.items()}, {ids: batch[ids][left]}
        count = len(next(iter(images.values())))
        if not count:
            return kept | self._handle.nothing()
        rows = max(1, _MOST // max(1, sum(values[0].nbytes for values in images.values())))
        parts = []
        for start in range(0, count, rows):
            try:
                parts.append(self._ask({name: values[start : start + rows] for name, values in images.items()}))
            except InputError as error:
                raise self._located(error, start, None if ids is None else kept[ids]) from None
        return kept | {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}

    @staticmethod
    def _located(error: InputError, start: int, ids: NDArray[Any] | None) -> InputError:
        """Which row of the Dataset it is: of what is asked about at a time the place tells nobody that."""
        place = error.where.get("row")
        if not isinstance(place, int) or isinstance(place, bool):
            return error
        row = start + place
        said = f"counted in a block of rows from {start} on" if ids is None else f"its id is {ids.tolist()[row]!r}"
        where = {**error.where, "row": row} | ({} if ids is None else {"id": str(ids[row])})
        return type(error)(f"{error.message}; {said}", **where)

    def _images(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What is asked about, by its column."""
        if self._inputs is not None:
            return self._inputs.take(batch)
        images = self._image.take(batch)
        return {str(self._image.name): images}

    def _ask(self, images: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if self._desk is None:
            from icm_ray.runtime.carriers.desk import DeskVisitor

            self._desk = DeskVisitor(self._handle.desk)
        question = _ENCODER.encode(Columns.of(images, self._handle.run))
        answer = decode(self._desk.ask(question), _ANSWERS, "an answer", "driver")
        if isinstance(answer, say.Failed):
            raise answer.error()
        return answer.plain()

    def close(self) -> None:
        """End the link. Idempotent.

        Examples:
            >>> predictor.close()  # doctest: +SKIP
        """
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()


def predicted(batch: dict[str, NDArray[Any]], handle: ModelHandle) -> dict[str, NDArray[Any]]:
    """A batch of a Dataset with its predictions, asked for over a link that ends with it."""
    predictor = SecurePredictor(handle)
    try:
        return predictor(batch)
    finally:
        predictor.close()


def answering(
    predict: Callable[[Any, str], Iterable[dict[str, NDArray[Any]]]],
    owner: str,
    several: bool,
    kinds: dict[tuple[str, str], NumberKind],
    question: bytes,
) -> bytes:
    """The answer to a predictor: columns of `predict(images, run)`, a prediction, revealed; or why not.

    several: whether images are a dict of inputs. kinds: by run and column.
    """
    try:
        asked = decode(question, _COLUMNS, "images", "predictor")
        try:
            images = asked.plain()
        except (ValueError, TypeError):
            images = {}
        if not images or not (several or len(images) == 1):
            raise ShapeError("a predictor sends arrays of images")
        for name, array in images.items():
            if asked.run:
                kinds.setdefault((asked.run, name), NumberKind()).check(array, f"rows of column {name!r}")
        batches = list(predict(images if several else next(iter(images.values())), asked.run))
        columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0] if name != "row"}
        return _ENCODER.encode(Columns.of(columns))
    except IcmError as error:
        return say.encode(say.failed(0, error, owner))
