"""What an instance answers about models and pictures: to peers what it offers them, to its workers where that lies."""

from __future__ import annotations

from pathlib import Path

from icm_ray.errors import PolicyError
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.messages import Offers
from icm_ray.instance.models import HeldModel, ModelShelf
from icm_ray.instance.pictures import HeldPictures, PictureShelf
from icm_ray.runtime.orders.house import (
    Allowed,
    HouseAnswer,
    OpenPictures,
    OpenWeights,
    Pictures,
    UseModel,
    UsePictures,
    Weights,
)

__all__ = ["ModelAnswers", "ModelCall"]

ModelCall = OpenPictures | OpenWeights | UseModel | UsePictures


class ModelAnswers:
    """Of the organisation `name`, whose folder this is. Errors: `PolicyError`, the same for what is not offered and for
    what is not there; `InstanceError` for files that are damaged.
    """

    def __init__(self, name: str, folder: Path, audit: AuditLog) -> None:
        self.name, self._audit = name, audit
        self._models, self._pictures = ModelShelf(folder), PictureShelf(folder)

    def offers(self, asker: str) -> Offers:
        """What a peer, or an own user, may ask about."""
        own = asker == self.name
        models = tuple(held.public for held in self._models.models.values() if own or asker in held.standing)
        pictures = tuple(held.public for held in self._pictures.pictures.values() if own or asker in held.standing)
        return Offers(models, pictures)

    def to_worker(self, asker: str, call: ModelCall) -> HouseAnswer:
        """What a worker asks that works for `asker`."""
        match call:
            case OpenPictures(dataset, shape):
                found = self._images(asker, dataset)
                self._audit.add(asker, "opened", pictures=dataset)
                return Pictures(found.source(shape))
            case OpenWeights(model):
                held = self._model(asker, model)
                self._audit.add(asker, "loaded", model=model, weights=held.weights)
                return Weights(str(self._models.path(held)), held.weights, held.public.model.fingerprint)
            case UseModel(model, weights, output, images, count, back):
                self._use(asker, call)
                if not back:
                    facts = {"model": model, "weights": weights[:16], "output": output, "of": images}
                    self._audit.add(asker, "predicted", images=str(count), **facts)
            case UsePictures(dataset, graph, output, count):
                found = self._images(asker, dataset)
                if asker != self.name and (graph not in found.graphs or output not in found.outputs):
                    raise PolicyError(
                        f"{self.name} refuses: it has not agreed to {output!r} of this model on {dataset!r}",
                        party=self.name,
                    )
                self._audit.add(asker, "shared", pictures=dataset, graph=graph, output=output, images=str(count))
        return Allowed()

    def _use(self, asker: str, use: UseModel) -> None:
        held = self._model(asker, use.model)
        if use.back:
            self._models.use(held, use, self.name)
            return
        if held.weights != use.weights:
            raise PolicyError(
                f"{self.name} refuses: the model {use.model!r} is another now than the one that was loaded: ask for it "
                "again",
                party=self.name,
            )
        if asker != self.name and use.output not in held.public.outputs:
            allowed = ", ".join(held.public.outputs)
            raise PolicyError(
                f"{self.name} refuses: its model {use.model!r} says {allowed}, and no {use.output}", party=self.name
            )
        self._models.use(held, use, self.name)

    def _model(self, asker: str, name: str) -> HeldModel:
        held = self._models.models.get(name)
        if held is None or (asker != self.name and asker not in held.standing):
            raise PolicyError(f"{self.name} refuses: it offers {asker} no model {name!r}", party=self.name)
        return held

    def _images(self, asker: str, name: str) -> HeldPictures:
        held = self._pictures.pictures.get(name)
        if held is None or (asker != self.name and asker not in held.standing):
            raise PolicyError(f"{self.name} refuses: it offers {asker} no pictures {name!r}", party=self.name)
        return held
