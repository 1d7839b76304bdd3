"""What is asked of a model about some images: all that it takes to explain it, to deal ahead for it, and to run it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analytics.nn.batches import Batches
from analytics.nn.bringing import GivenImages, ReadImages
from analytics.nn.duration import duration_of, multiplications
from analytics.nn.expected import HasError
from analytics.nn.intake import Intake
from analytics.nn.loaded import LoadedWeights
from analytics.nn.packing import Packing
from analytics.nn.prediction_run import Answered, PredictionRun
from analytics.nn.predictor import ModelHandle, predicted
from analytics.nn.preflight import exactness
from analytics.nn.sources.held import HeldImages
from analytics.nn.sources.several import dataset_of
from analytics.nn.sources.source import Source
from analytics.nn.spent import Spent
from analytics.nn.wanted import Wanted
from analytics.progress import Progress as Shown
from icm_ray.errors import InputError, OwnerError, ShapeError
from icm_ray.network.model import PublicModel

__all__ = ["PredictionRequest", "Progress"]

Progress: TypeAlias = Callable[[int, int | None], None]

_CALL: Final = 8
"""Batches for each lane that a Dataset's rows are asked about at a time: lanes are idle between two of these."""


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """`wanted` of the images that `source` has, `owner`'s, in batches of `size`.

    masked: whether images that fail are left out. skip: ids that are left out. id_name: under which name ids are
    given. handle: by the recipient, what predicts on batches of a ray.data.Dataset. expectation: of logits' errors.
    packing: of several results. shown: where progress is shown; None: for each run by itself.
    """

    loaded: LoadedWeights
    model: PublicModel
    source: Source
    intake: Intake
    wanted: Wanted
    owner: str
    expectation: HasError
    size: int
    masked: bool
    skip: Collection[Any]
    id_name: str | None
    handle: Callable[[str | None], ModelHandle]
    progress: Progress | None
    packing: Packing | None = None
    shown: AbstractContextManager[Shown] | None = None

    def look(self) -> None:
        """Raise what is wrong with the images, where all are at hand."""
        if not self.source.at_hand or self.masked:
            return
        first = 0
        for block in self.source.blocks(self.size):
            self.intake.look(block.images, self.model.scheme, first)
            first += len(block.images)

    def recipient(self, to: str | None) -> str:
        """The name of who receives the results. Raises `OwnerError` for one that is not in the session."""
        session = self.loaded.session
        known = session.parties + session.owners
        if to is not None and to not in known:
            raise OwnerError(f"recipient {to!r} is not in the session; it has {', '.join(known)}")
        return session.recipient if to is None else to

    def check(self, to: str | None) -> None:
        """Raise what can be known before anything is shared."""
        self.recipient(to)
        self.loaded.session.execute([])  # refuses where the session is closed

    def mapped(self, to: str | None) -> Any:
        """For a ray.data.Dataset one of predictions, of which nothing is computed yet; None for other sources."""
        dataset = dataset_of(self.source)
        if dataset is None:
            return None
        from icm_ray.runtime.carriers.datasets import mapped

        self.check(to)
        rows = _CALL * self.size * self.loaded.session.lanes
        return mapped(dataset, predicted, {"handle": self.handle(to)}, rows)

    def preprocess(self, batches: int | None, to: str | None) -> None:
        """Deal ahead for so many batches of the full size; None: for as many as there are, one at least."""
        receiver, count = self.recipient(to), self.source.count
        if batches is None:
            if count is None:
                raise InputError(
                    "how many images there are is not known before they are read; say for how many batches"
                )
            batches = max(1, count // self.size)
        session = self.loaded.session
        size = self.size if count is None else min(self.size, count)
        name = object()  # who loads weights
        try:
            version, loads = self.loaded.loading(session.usable_lanes, by=name)
            program, _ = version.program(size, self.owner, self.wanted, receiver)
            session.execute(loads)
        except BaseException:
            self.loaded.give_up(name)
            raise
        session.preprocess(program, batches)

    def run(self, to: str | None, spend: Callable[[Spent], None]) -> Iterator[Answered]:
        """Answers in order. spend: told at the end what it took."""
        receiver, began, done = self.recipient(to), perf_counter(), 0
        batches = Batches(self.source.blocks(self.size), self.skip)
        count = None if self.skip else self.source.count
        total = None if count is None else -(-count // self.size)
        with self.shown or Shown("predicting", total, "batches", count or 0) as steps:
            run = PredictionRun(
                self.loaded,
                batches,
                self._bringing(),
                self.wanted,
                self.owner,
                receiver,
                self.size,
                self.masked,
                steps.done,
            )
            for answer in run.answers():
                done += len(answer.failed)
                if self.progress is not None:
                    self.progress(done, count)
                yield answer
        if not done and not self.skip:
            raise ShapeError("there are no images: the source is empty")
        spend(run.tally.spent(perf_counter() - began))

    def _bringing(self) -> GivenImages | ReadImages:
        scheme = self.model.scheme
        if isinstance(self.source, HeldImages):
            return ReadImages(self.owner, self.intake, scheme, self.source.table)
        return GivenImages(self.owner, self.intake, scheme)

    def columns(self, answer: Answered) -> dict[str, NDArray[Any]]:
        """A batch's answers as columns: ids or row numbers, the output, where images may fail whether they did."""
        named: tuple[str, NDArray[Any]] = ("row", answer.batch.rows)
        if self.id_name is not None and answer.batch.ids is not None:
            named = self.id_name, answer.batch.ids
        values = self.wanted.read(answer.words, answer.failed)
        return {named[0]: named[1], self.wanted.name: values} | ({"failed": answer.failed} if self.masked else {})

    def spread(self, columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The same columns, with one for each of several results in place of all of them."""
        if self.packing is None:
            return columns
        name = self.wanted.name
        kept = {other: values for other, values in columns.items() if other != name}
        return kept | self.packing.columns(columns[name], name)

    def shaped(self, rows: NDArray[Any]) -> Any:
        """Results of all images as the network returns them."""
        return rows if self.packing is None else self.packing.unpacked(rows)

    def nothing(self) -> NDArray[Any]:
        """The results of no image: all were skipped."""
        return self.wanted.read(np.zeros((0, *self.wanted.words_shape), np.uint64), np.zeros(0, bool))

    def explain(self, to: str | None) -> str:
        """Lines of text."""
        from icm_ray.program.explain import explain
        from icm_ray.program.stamped import Stamped

        receiver, count, owner = self.recipient(to), self.source.count, self.loaded.owner
        session, scheme, output = self.loaded.session, self.model.scheme, self.wanted.output
        if count is None:
            size, many = self.size, f"images that are read as they come, in batches of {self.size}"
        else:
            size, many = min(count, self.size), f"{count} images in {-(-count // self.size)} batches"
        program = self.loaded.program(size, self.owner, self.wanted, receiver)
        lines = [explain(Stamped(program, session.settings), f"prediction of {output} for {many}, of which one")]
        took = duration_of(program, session.settings, size * multiplications(self.model.graph), self.loaded.pace)
        lines.append(f"  {took.words(size)}")
        if isinstance(self.source, HeldImages):
            lines.append(f"  {self.owner}'s images are read by its own worker, from {self.source.files} files")
        if self.intake.changes:
            lines.append(f"  {self.owner}'s images are scaled and normalised by itself, as {owner}'s model says")
        if scheme.gain is None:
            bits = ", ".join(f"2^{reach}" for reach in scheme.layers.values())
            lines.append(f"  published by {owner} about its weights: bounds of its layers' values, {bits}")
        else:
            lines.append(f"  checked by {owner} itself: weights behind one output sum up to 2^{scheme.gain} at most")
        if scheme.bounds:
            bits = ", ".join(f"2^{reach}" for reach in scheme.bounds.values())
            lines.append(f"  checked on shares: values of {len(scheme.bounds)} layers stay below {bits}")
        if held := [domain for domain in scheme.domains.values() if domain.checked]:
            ends = ", ".join(f"2^{domain.low} to 2^{domain.high}" for domain in held)
            lines.append(f"  checked on shares: arguments of {len(held)} functions are held to {ends} in magnitude")
        if self.masked:
            lines.append(
                f"  a batch beyond a bound is tried in parts, in an order that {self.owner} draws: the parties see how "
                "many of its images are, not which"
            )
        if (quota := self.loaded.quota.images.get(self.owner)) is not None:
            lines.append(f"  {owner} lets its model predict on {quota} images of {self.owner}'s, as its workers count")
        lines += [f"  {line}" for line in exactness(self.model, owner, self.expectation.error)]
        if output != "logits":
            lines.append(f"  {self.wanted.promise()}")
        return "\n".join(lines)
