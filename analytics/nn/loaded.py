"""A model's weights in the lanes' workers: masked once under each key, loaded where they are first used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex

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


class LoadedWeights:
    """Of `owner`, a party; the workers drop them when nobody has this object any more."""

    def __init__(self, session: Engine, compiled: Compiled, owner: str, quota: Quota) -> None:
        self.session, self.owner, self.quota = session, owner, quota
        self._compiled, self._account = compiled, token_hex(8)
        self._kept: set[str] = set()  # names of weights that workers may have
        self._lanes: set[int] = set()  # those that have them
        self._programs: dict[tuple[int, str, Wanted, str], tuple[Program, FromPrediction]] = {}
        self._new_version()
        forget_when_dropped(self, session, partial(list, self._kept))

    def _new_version(self) -> None:
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

    def loading(self, lanes: Iterable[int]) -> Sequence[LaneJob]:
        """Jobs after which these lanes have the weights; they are taken to be run."""
        jobs = [self._load_job(lane) for lane in lanes if lane not in self._lanes]
        self._lanes |= {job.lane for job in jobs}
        self._kept.update(self._load.keys().values())
        return jobs

    def _load_job(self, lane: int) -> LaneJob:
        load = WeightLoad(
            model=self._load.model,
            version=self._load.version,
            owner=self.owner,
            quota=self.quota.part(lane),
            account=self._account,
        )
        program = program_of(load, self.session.parties, self.session.owners)
        origin = FromPrediction(encode_model_question(load))
        return LaneJob(lane, program, given={self.owner: self._compiled.weights()}, origin=origin)

    def forget(self) -> None:
        """Let all lanes forget them. Raises `SessionError` where the session cannot be used."""
        keys = list(self._kept)
        self._new_version()
        self.session.forget(keys)

    def give_up(self) -> None:
        """Something failed, and which lanes have loaded them is unknown: none has."""
        with suppress(IcmError):  # whatever is wrong with the session, the first error is the one to tell
            self.forget()
