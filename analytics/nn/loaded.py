"""A model's weights in the lanes' workers: masked once under each key, loaded where they are first used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from secrets import token_hex
from threading import Event, Lock
from typing import Final, Protocol, TypeAlias

from msgspec.structs import replace

from analytics.nn.duration import Pace
from analytics.nn.quota import Quota
from analytics.nn.wanted import Wanted
from icm_ray.network.model import PublicModel
from icm_ray.network.programs import WeightLoad, encode_model_question, program_of
from icm_ray.program.program import Program
from icm_ray.program.program_cache import Latest
from icm_ray.query.held import HeldWeight
from icm_ray.ring.array import RingArray
from icm_ray.runtime.driver.ending import forget_when_dropped
from icm_ray.runtime.driver.engine import Engine, LaneJob
from icm_ray.runtime.orders.origins import FromPrediction

__all__ = ["LoadedVersion", "LoadedWeights", "ModelWeights"]

_PATIENCE: Final = 600.0
"""Seconds in which another run's weights have to be there; then a worker says what is missing."""

_TIMES: Final = 8
"""Bytes of a program for one of the model that it follows from, about."""

_Asked: TypeAlias = tuple[Program, FromPrediction]


class ModelWeights(Protocol):
    """A model's public facts, and how its weights come into a lane."""

    @property
    def model(self) -> PublicModel: ...

    def brought(self) -> tuple[Mapping[str, RingArray], Mapping[str, HeldWeight]]:
        """By name: arrays that this process brings, or what the owner's worker takes from its own catalogue."""


class LoadedVersion:
    """Weights under keys of their own; the workers drop them when nobody has this object any more.

    load: how they are asked for, without a lane's quota. keys: those that workers may have. given_up: whether it is
    unknown what some lane has: whoever uses them goes on, and others load them anew.
    """

    def __init__(self, session: Engine, load: WeightLoad) -> None:
        self.load = load
        self.keys: set[str] = set()
        self.given_up = False
        self._session = session
        self._lanes: dict[int, tuple[object, Event]] = {}  # who loads them there, and whether they are there
        self._lock, self._deriving = Lock(), Lock()
        self._size = _TIMES * len(encode_model_question(load))
        self._programs: Latest[tuple[int, str, Wanted, str], _Asked] = Latest()
        forget_when_dropped(self, session, partial(list, self.keys))

    def program(self, count: int, images: str, wanted: Wanted, to: str) -> _Asked:
        """The program of one batch of `images`, and the question that it follows from."""

        def made() -> _Asked:
            question = self.load.prediction(
                images=images, count=count, output=wanted.output, to=to, k=wanted.k, threshold=wanted.threshold
            )
            program = program_of(question, self._session.parties, self._session.owners)
            return program, FromPrediction(encode_model_question(question))

        with self._deriving:
            return self._programs.get((count, images, wanted, to), self._size, made)

    def begin(self, lane: int, by: object) -> Event | None:
        """What `by`, who is to load them there, sets when they are there.

        None where they are, or where `by` itself was to load them before: its jobs are in order. Where others load
        them it waits.
        """
        with self._lock:
            if lane not in self._lanes and not self.given_up:
                there = Event()
                self._lanes[lane] = by, there
                self.keys.update(self.load.keys().values())
                return there
            whose, there = self._lanes.get(lane, (by, Event()))
        if whose is not by:
            there.wait(_PATIENCE)
        return None

    def lost(self, by: object) -> bool:
        """Whether `by` was to load them somewhere, and it is unknown what came of it."""
        with self._lock:
            return any(whose is by and not there.is_set() for whose, there in self._lanes.values())

    def give_up(self) -> None:
        """Nobody waits for them, or begins to use them, any more."""
        with self._lock:
            self.given_up = True
            for _, there in self._lanes.values():
                there.set()


class LoadedWeights:
    """Of `owner`, a party, in one version after the other: where it is unknown whether a lane has them, in a new one.

    Several threads may predict: a lane loads weights once, and whoever comes meanwhile waits until they are there.
    Whoever uses a version keeps it until its answers are there: it is dropped with the last of them.
    """

    def __init__(self, session: Engine, weights: ModelWeights, owner: str, quota: Quota) -> None:
        self.session, self.owner, self.quota, self.pace = session, owner, quota, Pace()
        self._weights, self._account = weights, token_hex(8)
        self._lock = Lock()
        self._version = self._new_version()

    def _new_version(self) -> LoadedVersion:
        load = WeightLoad(model=self._weights.model, version=token_hex(8), owner=self.owner)
        return LoadedVersion(self.session, load)

    def program(self, count: int, images: str, wanted: Wanted, to: str) -> Program:
        """The program of one batch of `images`, with the latest weights."""
        return self._version.program(count, images, wanted, to)[0]

    def loading(self, lanes: Sequence[int], by: object) -> tuple[LoadedVersion, Sequence[LaneJob]]:
        """Jobs after which these lanes have that version; they are taken to be run, before other jobs of `by`'s there.

        Where others load them it waits until they are there.
        """
        while True:
            version = self._version
            begun = [(lane, there) for lane in lanes if (there := version.begin(lane, by)) is not None]
            if not version.given_up:
                return version, [self._load_job(version, lane, there) for lane, there in begun]

    def _load_job(self, version: LoadedVersion, lane: int, there: Event) -> LaneJob:
        load = replace(version.load, quota=self.quota.part(lane), account=self._account)
        program = program_of(load, self.session.parties, self.session.owners)
        origin = FromPrediction(encode_model_question(load))
        given, tasks = self._weights.brought()
        return LaneJob(
            lane, program, given={self.owner: given}, tasks={self.owner: tasks}, origin=origin, done=there.set
        )

    def forget(self) -> None:
        """Let all lanes forget them. Raises `SessionError` where the session cannot be used."""
        version = self._replace(self._version)
        keys = list(version.keys)
        version.keys.clear()
        self.session.forget(keys)

    def give_up(self, by: object) -> None:
        """What `by` did has failed: where it is unknown whether a lane has loaded them, they are loaded anew."""
        if (version := self._version).lost(by):
            self._replace(version)

    def _replace(self, version: LoadedVersion) -> LoadedVersion:
        """Have a new version in the place of this one, which is returned."""
        with self._lock:
            if self._version is version:
                self._version = self._new_version()
        version.give_up()
        return version
