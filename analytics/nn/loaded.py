"""A model's weights in the lanes' workers: masked once under each key, loaded where they are first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex
from threading import Event, Lock
from typing import Final

from analytics.nn.compile import Compiled
from analytics.nn.quota import Quota
from analytics.nn.wanted import Wanted
from icm_ray.errors import IcmError
from icm_ray.network.programs import WeightLoad, encode_model_question, program_of
from icm_ray.program.program import Program
from icm_ray.runtime.driver.ending import forget_when_dropped
from icm_ray.runtime.driver.engine import Engine, LaneJob
from icm_ray.runtime.orders.origins import FromPrediction

__all__ = ["LoadedWeights"]

_PATIENCE: Final = 600.0
"""Seconds in which another run's weights have to be there; then a worker says what is missing."""


class LoadedWeights:
    """Of `owner`, a party; the workers drop them when nobody has this object any more.

    Several threads may predict: a lane loads weights once, and whoever comes meanwhile waits until they are there.
    """

    def __init__(self, session: Engine, compiled: Compiled, owner: str, quota: Quota) -> None:
        self.session, self.owner, self.quota = session, owner, quota
        self._compiled, self._account = compiled, token_hex(8)
        self._kept: set[str] = set()  # names of weights that workers may have
        self._lock = Lock()
        self._lanes: dict[int, tuple[object, Event]] = {}  # who loads them there, and whether they are there
        self._programs: dict[tuple[int, str, Wanted, str], tuple[Program, FromPrediction]] = {}
        self._new_version()
        forget_when_dropped(self, session, partial(list, self._kept))

    def _new_version(self) -> None:
        for _, there in self._lanes.values():
            there.set()  # whoever waits looks again
        self._lanes.clear()
        self._kept.clear()
        self._programs.clear()
        self._load = WeightLoad(model=self._compiled.model, version=token_hex(8), owner=self.owner)

    def program(self, count: int, images: str, wanted: Wanted, to: str) -> tuple[Program, FromPrediction]:
        """The program of one batch of `images`, and the question that it follows from."""
        key = count, images, wanted, to
        if key not in self._programs:
            question = self._load.prediction(
                images=images, count=count, output=wanted.output, to=to, k=wanted.k, threshold=wanted.threshold
            )
            program = program_of(question, self.session.parties, self.session.owners)
            self._programs[key] = program, FromPrediction(encode_model_question(question))
        return self._programs[key]

    def loading(self, lanes: Iterable[int], by: object) -> Sequence[LaneJob]:
        """Jobs after which these lanes have the weights; they are taken to be run, before other jobs of `by`'s there.

        Where others load them it waits until they are there.
        """
        jobs: list[LaneJob] = []
        for lane in lanes:
            while (there := self._others_load(lane, by, jobs)) is not None and there.wait(_PATIENCE):
                continue
        return jobs

    def _others_load(self, lane: int, by: object, jobs: list[LaneJob]) -> Event | None:
        """What is set when others have loaded them; None where they have, or `by` does, now or before."""
        with self._lock:
            if lane not in self._lanes:
                there = Event()
                jobs.append(self._load_job(lane, there.set))
                self._lanes[lane] = by, there
                self._kept.update(self._load.keys().values())
                return None
            whose, there = self._lanes[lane]
            return None if whose is by or there.is_set() else there

    def _load_job(self, lane: int, done: Callable[[], None]) -> LaneJob:
        load = WeightLoad(
            model=self._load.model,
            version=self._load.version,
            owner=self.owner,
            quota=self.quota.part(lane),
            account=self._account,
        )
        program = program_of(load, self.session.parties, self.session.owners)
        origin = FromPrediction(encode_model_question(load))
        return LaneJob(lane, program, given={self.owner: self._compiled.weights()}, origin=origin, done=done)

    def forget(self) -> None:
        """Let all lanes forget them. Raises `SessionError` where the session cannot be used."""
        with self._lock:
            keys = list(self._kept)
            self._new_version()
        self.session.forget(keys)

    def give_up(self) -> None:
        """Something failed, and which lanes have loaded them is unknown: none has."""
        with suppress(IcmError):  # whatever is wrong with the session, the first error is the one to tell
            self.forget()
