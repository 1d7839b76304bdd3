"""One prediction on its way: batches go to lanes as these become free, answers come back in order.

Nothing here grows with the number of images: read, encoded and under way are a few batches for each lane.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from random import SystemRandom
from secrets import token_hex
from typing import Any, Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from analytics.nn.batches import Batch, Batches
from analytics.nn.bringing import Bringing
from analytics.nn.loaded import LoadedVersion, LoadedWeights
from analytics.nn.spent import Tally
from analytics.nn.wanted import Wanted
from icm_ray.errors import BoundExceeded, InputError, PolicyError
from icm_ray.ring.array import RingArray
from icm_ray.runtime.driver.engine import LaneJob, Streamed

__all__ = ["Answered", "PredictionRun"]

_WINDOW: Final = 4
"""Batches for each lane that may be read and not yet handed over."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A batch and what was opened of it: words (n, *shape), those of images that failed without meaning. delivered:
    where they are another organisation's, and no words are here, the number that the result has there.
    """

    batch: Batch
    words: RingArray
    failed: NDArray[np.bool_]
    delivered: int = 0


@dataclass(slots=True)
class _Pending:
    """A batch whose answers come in one or several pieces. left: images without one."""

    batch: Batch
    words: RingArray
    failed: NDArray[np.bool_]
    left: int
    delivered: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    """Images of a batch that are computed together. places: theirs in it; images: as they were taken."""

    number: int
    places: NDArray[np.int64]
    images: NDArray[Any]

    def only(self, part: slice | NDArray[np.int64]) -> _Piece:
        """Some of them."""
        return _Piece(self.number, self.places[part], np.ascontiguousarray(self.images[part]))


@dataclass(slots=True)
class PredictionRun:
    """`owner`'s images through the model whose weights are `loaded`; the results go to `to`.

    size: images of a batch. masked: whether images that fail are left out, and the others kept. ended: called with a
    number of images that were computed, in a thread of their lane.
    """

    loaded: LoadedWeights
    batches: Batches
    bringing: Bringing
    wanted: Wanted
    owner: str
    to: str
    size: int
    masked: bool
    ended: Callable[[int], None]
    tally: Tally = field(default_factory=Tally)
    _pending: dict[int, _Pending] = field(default_factory=dict)
    _again: deque[_Piece] = field(default_factory=deque)
    _under_way: dict[int, tuple[_Piece, LoadedVersion]] = field(default_factory=dict)  # by the identity of its job
    _due: int = 0  # the batch that is handed over next
    _failed: tuple[int, Exception] | None = None  # the first batch that has no answer, and why
    _read: bool = False  # whether the source has no more
    _name: object = field(default_factory=object)  # who loads weights
    _called: str = field(default_factory=partial(token_hex, 8))  # by whom the results are for, where that is another

    def answers(self) -> Iterator[Answered]:
        """Of every batch, in order; where one fails, of those before it. What others predict meanwhile goes on."""
        try:
            while not self._read:  # a stream ends early where many batches in a row have nothing that can be shared
                with closing(self.loaded.session.stream(self._more)) as stream:
                    for item in stream:
                        self._take(item)
                        yield from self._answered()
                yield from self._answered()  # of a last batch, or one that failed, with nothing under way
        except BaseException:
            self._under_way.clear()
            self.loaded.give_up(self._name)
            raise

    def _answered(self) -> Iterator[Answered]:
        while (first := self._pending.get(self._due)) is not None and not first.left:
            del self._pending[self._due]
            self._due += 1
            yield Answered(first.batch, first.words, first.failed, first.delivered)
        if self._failed is not None and self._failed[0] == self._due:
            raise self._failed[1]

    # --- what is to be computed -----------------------------------------------------------------------------------

    def _more(self, lane: int) -> Sequence[LaneJob] | None:
        if self._failed is not None and not self._again:
            return None
        size = self._room(lane)
        if size == 0:
            return ()
        piece = self._retried(size) if self._again else self._next(size)
        if piece is None:
            return None
        count = len(piece.places)
        self.loaded.quota.use(lane, self.owner, count)
        version, loads = self.loaded.loading([lane], by=self._name)
        program, origin = version.program(count, self.owner, self.wanted, self.to)
        elsewhere = "" if self.loaded.session.hears(self.to) else self.to
        if elsewhere:
            first = int(self._pending[piece.number].batch.rows[piece.places[0]])
            origin = structs.replace(origin, run=self._called, first=first)
        inputs, done = self.bringing.inputs(piece.images), partial(self.ended, count)
        job = LaneJob(
            lane,
            program,
            piece.number,
            given=inputs.given,
            tasks=inputs.tasks,
            origin=origin,
            done=done,
            elsewhere=elsewhere,
        )
        self._under_way[id(job)] = piece, version
        return *loads, job

    def _room(self, lane: int) -> int:
        """How many images the lane is given at once: none where its part of the quota is used up and another's is not.

        Where no lane has any left a batch goes out all the same: to refuse it is for the model's owner.
        """
        left = self.loaded.quota.left(lane, self.owner)
        if left is None or left >= self.size:
            return self.size
        others = (self.loaded.quota.left(other, self.owner) for other in self.loaded.session.usable_lanes)
        return left if left or any(others) else self.size

    def _retried(self, size: int) -> _Piece:
        """The first piece that is tried again, or as much of it as the lane is given."""
        piece = self._again.popleft()
        if len(piece.places) <= size:
            return piece
        self._again.appendleft(piece.only(slice(size, None)))
        return piece.only(slice(size))

    def _next(self, size: int) -> _Piece | None:
        """The next batch of which something can be shared; none while too many wait for one before them."""
        while len(self._pending) < _WINDOW * len(self.loaded.session.usable_lanes):
            try:
                batch = self.batches.take(size)
                if batch is None:
                    self._read = True
                    break
                images, failed = self.bringing.taken(batch, self.masked)
            except Exception as error:  # noqa: BLE001 - whatever a source raises, it is raised where the batch is due
                self._fails(self._due + len(self._pending), error)
                break
            count = len(images)
            words = np.zeros((count, *self.wanted.words_shape), np.uint64)
            self._pending[batch.number] = _Pending(batch, words, failed, 0 if failed.all() else count)
            if not failed.all():
                return _Piece(batch.number, np.arange(count), images)
        return None

    # --- what became of it ----------------------------------------------------------------------------------------

    def _take(self, item: Streamed) -> None:
        piece, _ = self._under_way.pop(id(item.jobs[-1]))
        pending = self._pending[piece.number]
        if item.error is not None:
            if isinstance(item.error, InputError) and self.masked:
                self.loaded.quota.use(item.jobs[-1].lane, self.owner, -len(piece.places))  # nothing was shared
                self._leave_out(piece, pending, item.error)
                return
            if isinstance(item.error, BoundExceeded) and self.masked:
                self._split(piece, pending)
            elif isinstance(item.error, BoundExceeded):
                self._fails(piece.number, self._located(item.error, pending.batch))
            elif isinstance(item.error, InputError | PolicyError):  # of this batch: its lane goes on
                self._fails(piece.number, item.error)
            else:
                raise item.error
            return
        self.tally.add(item)
        self.loaded.pace.note(item.done[-1])
        if item.jobs[-1].elsewhere:
            pending.delivered = item.done[-1].delivered
        else:
            words = item.done[-1].results[self.wanted.output]
            pending.words[piece.places] = words.reshape(len(piece.places), *self.wanted.words_shape)
        pending.left -= len(piece.places)

    def _fails(self, number: int, error: Exception) -> None:
        """A batch has no answer: no more are read, and those before it are waited for."""
        if self._failed is None or number < self._failed[0]:
            self._failed = number, error
            self._again = deque(piece for piece in self._again if piece.number < number)

    def _leave_out(self, piece: _Piece, pending: _Pending, error: InputError) -> None:
        """Images that their owner's worker cannot share, as it says: the others are tried without them."""
        unfit = np.isin(piece.images, np.array(error.where.get("rows", ()), np.int64))
        if piece.images.ndim != 1 or not unfit.any():
            raise error
        pending.failed[piece.places[unfit]] = True
        pending.left -= int(unfit.sum())
        if not unfit.all():
            self._again.append(piece.only(np.flatnonzero(~unfit)))

    def _split(self, piece: _Piece, pending: _Pending) -> None:
        """One of these images, at least, is beyond a bound: each half is tried by itself.

        The order is drawn anew, by the images' owner: the parties see how many fail, not which.
        """
        count = len(piece.places)
        if count == 1:
            pending.failed[piece.places] = True
            pending.left -= 1
            return
        order = np.array(SystemRandom().sample(range(count), count))
        for half in (order[: count // 2], order[count // 2 :]):
            self._again.append(piece.only(half))

    @staticmethod
    def _located(error: BoundExceeded, batch: Batch) -> BoundExceeded:
        rows: Any = batch.rows
        where = f"one of images {rows[0]} to {rows[-1]}, batch {batch.number}"
        said = f"{error.message} ({where}; errors='mask' leaves it out and keeps the others)"
        return BoundExceeded(said, **error.where)
