"""What other processes of a Ray cluster ask a model with: handles, and the desks that answer them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from weakref import finalize, ref

from numpy.typing import NDArray

from analytics.nn.predictor import ModelHandle, answering
from analytics.nn.run_progress import RunProgress
from icm_ray.config import EngineConfig
from icm_ray.errors import SessionClosed
from icm_ray.network.outputs import Output
from icm_ray.runtime.driver.ending import GIVE_BACK
from icm_ray.runtime.driver.engine import Engine
from icm_ray.runtime.driver.keeper import keeper

if TYPE_CHECKING:
    from analytics.nn.model import SecureModel
    from analytics.nn.prediction import Prediction
    from icm_ray.runtime.carriers.desk import Desk

__all__ = ["Asked", "Handles"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a handle asks for: as `SecureModel.predict` takes it, and for whom."""

    owner: str
    to: str | None
    output: Output
    k: int | None
    threshold: float | None
    errors: Literal["raise", "mask"]

    def of(self, model: SecureModel, images: Any) -> Prediction:
        """The prediction."""
        return model.predict(images, self.owner, self.output, k=self.k, threshold=self.threshold, errors=self.errors)


class Handles:
    """The desks of one model of a session, by what they are asked for."""

    def __init__(self, session: Engine) -> None:
        self._session = session
        self._desks: dict[Asked, Desk] = {}
        self._shown = RunProgress()

    def handle(self, model: SecureModel, asked: Asked, several: bool, **facts: Any) -> ModelHandle:
        """A handle of the model. several: whether images are dicts; facts: what else a handle has."""
        if asked not in self._desks:
            self._desks[asked] = _desk(model, asked, several, self._shown, self._session.config)
        return ModelHandle(self._desks[asked].address, model=model, **facts)

    def close(self) -> None:
        """Handles that were made serve no longer."""
        while self._desks:
            self._desks.popitem()[1].close()
        self._shown.close()


def _desk(model: SecureModel, asked: Asked, several: bool, shown: RunProgress, config: EngineConfig) -> Desk:
    from icm_ray.runtime.carriers.desk import Desk

    this = ref(model)

    def predict(images: Any, run: str) -> Iterator[dict[str, NDArray[Any]]]:
        known = this()
        if known is None:
            raise SessionClosed("the model was dropped")
        prediction = asked.of(known, images)
        if not run:  # of a class that serves, perhaps for days
            yield from prediction.iter_batches(asked.to)
            return
        with shown.question(run) as steps:
            yield from prediction._shown_by(nullcontext(steps)).iter_batches(asked.to)

    desk = Desk(partial(answering, predict, asked.owner, several, {}), config)
    finalize(model, keeper(GIVE_BACK).submit, desk.close).atexit = False
    return desk
