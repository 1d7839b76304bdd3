"""What an instance answers about models and pictures: to peers what it offers them, to its workers where that lies."""

from __future__ import annotations

from pathlib import Path

from icm_ray.errors import PolicyError
from icm_ray.instance.image_granting import ImageGranting
from icm_ray.instance.jobs import RequestApproval
from icm_ray.instance.models import HeldModel, ModelShelf, OfferedModel
from icm_ray.instance.peers_log import PeersLog
from icm_ray.instance.pictures import HeldPictures, OfferedPictures, PictureShelf
from icm_ray.instance.prediction_form import AskedPrediction, PredictionForm, decode_prediction, form_of
from icm_ray.instance.request import Request
from icm_ray.instance.requests import Requests
from icm_ray.runtime.orders.house import (
    Allowed,
    HouseAnswer,
    OpenPictures,
    OpenWeights,
    Pictures,
    PredictionFacts,
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

    def __init__(self, name: str, folder: Path, audit: PeersLog, requests: Requests) -> None:
        self.name, self._audit = name, audit
        self._models, self._pictures = ModelShelf(folder), PictureShelf(folder)
        self._granting = ImageGranting(name, requests)

    def models(self, asker: str) -> tuple[OfferedModel, ...]:
        """Those that a peer, or an own user, may ask."""
        return tuple(held.public for held in self._models.models.values() if self._offered(asker, held))

    def pictures(self, asker: str) -> tuple[OfferedPictures, ...]:
        """Those that a peer, or an own user, may ask about."""
        return tuple(held.public for held in self._pictures.pictures.values() if self._offered(asker, held))

    def _offered(self, asker: str, held: HeldModel | HeldPictures) -> bool:
        return asker in (self.name, *held.standing, *held.requests)

    # --- requests of peers ----------------------------------------------------------------------------------------

    def requested(self, asker: str, call: RequestApproval) -> PredictionForm | None:
        """What has to be approved of a prediction; None where all of it stands open."""
        asked = decode_prediction(call.question, self.name)
        if not call.names or not call.names.keys() <= {"model", "pictures"}:
            raise self._refusal("neither a model of it is asked for, nor pictures")
        if sorted(call.parties) != sorted({asker, asked.model_owner, asked.images_owner, asked.to or asker}):
            raise self._refusal(
                "whoever asks, who hears the results, and the owners of model and pictures take part, and nobody else"
            )
        forms = []
        if (model := call.names.get("model")) is not None:
            forms.append(self._requested_model(asker, model, asked, call.parties))
        if (pictures := call.names.get("pictures")) is not None:
            forms.append(self._requested_pictures(asker, pictures, asked, call.parties))
        waiting = [form for form in forms if form is not None]
        if len(waiting) > 1:
            raise self._refusal("of its own model on its own pictures, one has to be offered with --standing")
        return waiting[0] if waiting else None

    def _requested_model(
        self, asker: str, name: str, asked: AskedPrediction, parties: tuple[str, ...]
    ) -> PredictionForm | None:
        held = self._model(asker, name)
        if asked.model_owner != self.name or asked.graph != held.public.graph:
            raise self._refusal(f"the model {name!r} is described otherwise than it is")
        self._says(held, asked.output)
        if asker in held.standing and self._may_hear(asker, asked.to, held):
            return None
        return form_of(self.name, "model", (name, held.version), asked.graph, asked, asker, parties)

    def _requested_pictures(
        self, asker: str, name: str, asked: AskedPrediction, parties: tuple[str, ...]
    ) -> PredictionForm | None:
        held = self._images(asker, name)
        if asked.images_owner != self.name or asked.images > held.public.images:
            raise self._refusal(f"the pictures {name!r} are described otherwise than they are")
        if held.stand_open(asker, asked.graph, asked.output) and self._may_hear(asker, asked.to, held):
            return None
        self._agrees(asker, held, asked.output)
        return form_of(self.name, "pictures", (name, held.version), asked.graph, asked, asker, parties)

    # --- the own workers ------------------------------------------------------------------------------------------

    def to_worker(self, asker: str, call: ModelCall) -> HouseAnswer:
        """What a worker asks that works for `asker`."""
        match call:
            case OpenPictures(dataset, shape):
                found = self._images(asker, dataset)
                self._audit.add(asker, "opened", pictures=dataset)
                return Pictures(found.source(shape), found.version)
            case OpenWeights(model):
                held = self._model(asker, model)
                self._audit.add(asker, "loaded", model=model, weights=held.weights)
                return Weights(str(self._models.path(held)), held.weights, held.public.model.fingerprint)
            case UseModel(back=True):
                self._give_back(asker, call)
            case UseModel():
                self._use_model(asker, call)
            case UsePictures(back=True):
                self._give_pictures_back(asker, call)
            case UsePictures():
                self._use_pictures(asker, call)
        return Allowed()

    def _use_model(self, asker: str, use: UseModel) -> None:
        held, asked = self._model(asker, use.model), use.asked
        stands = asker == self.name or (asker in held.standing and self._may_hear(asker, asked.to, held))
        form = None if stands else self._model_form(asker, held, asked)
        if held.weights != use.weights:
            raise self._refusal(
                f"the model {use.model!r} is another now than the one that was loaded: ask for it again"
            )
        if asker != self.name:
            self._says(held, asked.output)
        self._models.use(held, use, self.name, approved=asker == self.name or form is not None)
        taken: list[Request] = []
        try:
            taken = self._granting.grant(asker, form, asked) if form is not None else []
        except BaseException:
            self._models.use(held, UseModel(use.model, use.weights, asked, back=True), self.name)
            raise
        facts = {"model": use.model, "weights": use.weights[:16], "of": asked.images_owner}
        self._noted(asker, "predicted", facts, asked, taken)

    def _give_back(self, asker: str, use: UseModel) -> None:
        """Images that were not used; of a model that is offered no more there is nothing to count."""
        held = self._models.models.get(use.model)
        if held is not None:
            self._models.use(held, use, self.name)
            self._granting.give_back(asker, self._model_form(asker, held, use.asked), use.asked)

    def _model_form(self, asker: str, held: HeldModel, asked: PredictionFacts) -> PredictionForm:
        public = held.public
        return form_of(self.name, "model", (public.name, held.version), public.graph, asked, asker, asked.parties)

    def _use_pictures(self, asker: str, use: UsePictures) -> None:
        held, asked = self._images(asker, use.dataset), use.asked
        if use.opened and use.opened != held.version:
            raise self._refusal(
                f"its pictures {use.dataset!r} were offered anew since these were taken: take them again"
            )
        taken: list[Request] = []
        stands = held.stand_open(asker, use.graph, asked.output) and self._may_hear(asker, asked.to, held)
        if asker != self.name and not stands:
            self._agrees(asker, held, asked.output)
            taken = self._granting.grant(asker, self._pictures_form(asker, held, use), asked)
        self._noted(asker, "shared", {"pictures": use.dataset, "graph": use.graph}, asked, taken)

    def _give_pictures_back(self, asker: str, use: UsePictures) -> None:
        """Images that were not shared; of pictures that are offered no more nothing is counted."""
        held = self._pictures.pictures.get(use.dataset)
        if held is not None:
            self._granting.give_back(asker, self._pictures_form(asker, held, use), use.asked)

    def _pictures_form(self, asker: str, held: HeldPictures, use: UsePictures) -> PredictionForm:
        named = held.public.name, held.version
        return form_of(self.name, "pictures", named, use.graph, use.asked, asker, use.asked.parties)

    def _noted(
        self, asker: str, what: str, facts: dict[str, str], asked: PredictionFacts, taken: list[Request]
    ) -> None:
        if taken:
            facts["request"] = ", ".join(str(one.number) for one in taken)
            if rules := ", ".join(dict.fromkeys(one.rule for one in taken if one.rule)):
                facts["rule"] = rules
            facts["use"] = ", ".join(f"{one.used} of {one.times}" for one in taken)
        if asked.to not in ("", asker):
            facts["to"] = asked.to
        self._audit.add(asker, what, output=asked.output, images=str(asked.count), **facts)

    # --- refusals -------------------------------------------------------------------------------------------------

    def _says(self, held: HeldModel, output: str) -> None:
        public = held.public
        if output not in public.opens:
            raise self._refusal(f"its model {public.name!r} says {', '.join(public.outputs)}, and no {output}")

    def _may_hear(self, asker: str, to: str, held: HeldModel | HeldPictures) -> bool:
        """Whether what stands open for an asker stands open where `to` hears the results; "": the asker. Nobody has to
        let an owner hear of its own.
        """
        return to in ("", asker, self.name, *held.standing)

    def _agrees(self, asker: str, held: HeldPictures, output: str) -> None:
        if asker not in held.requests:
            raise self._refusal(f"it has not agreed to {output!r} of this model on {held.public.name!r}")

    def _model(self, asker: str, name: str) -> HeldModel:
        held = self._models.models.get(name)
        if held is None or not self._offered(asker, held):
            raise self._refusal(f"it offers {asker} no model {name!r}")
        return held

    def _images(self, asker: str, name: str) -> HeldPictures:
        held = self._pictures.pictures.get(name)
        if held is None or not self._offered(asker, held):
            raise self._refusal(f"it offers {asker} no pictures {name!r}")
        return held

    def _refusal(self, reason: str) -> PolicyError:
        return PolicyError(f"{self.name} refuses: {reason}", party=self.name)
