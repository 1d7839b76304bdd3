"""What an organisation offers of models: their graphs, which are public, their weights, which stay in its folder, and
on how many images of whom they may predict, which is counted on disk.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InputError, PolicyError
from icm_ray.instance.files import changing, read, write, write_bytes
from icm_ray.instance.shelf import Shelf, all_but
from icm_ray.network.model import PublicModel
from icm_ray.network.outputs import Output
from icm_ray.payload import Name, Natural, decode_request
from icm_ray.runtime.orders.agreed_graph import agreed_graph
from icm_ray.runtime.orders.house import UseModel

__all__ = ["HeldModel", "ModelShelf", "OfferedModel"]

_FILE: Final = "models.json"
_USED: Final = "models_used.json"
_USED_WHAT: Final = "count of predictions"
_WEIGHTS: Final = "weights"


_MODELS: Final[msgspec.msgpack.Decoder[PublicModel]] = msgspec.msgpack.Decoder(PublicModel)


class OfferedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):  # dict: for what is found once
    """What peers see of a model. payload: its graph, and numbers that are public, which an instance hands on unread.
    outputs: what it may be asked for.

    scale, mean, std, whole: what becomes of an image before the graph, as of `icm_ray.query.image_tasks.ImageRows`.
    batch: images that are computed together. error: what a logit's error stays below in 999 of 1000 predictions.
    likely: whether its results are probabilities.
    """

    name: Name
    payload: bytes
    outputs: tuple[Output, ...] = ("label",)
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    whole: bool = False
    batch: Annotated[int, msgspec.Meta(ge=1, le=1 << 22)] = 32
    error: float = math.inf
    likely: bool = False

    @property
    def opens(self) -> frozenset[str]:
        """What programs may open of it: where its results are probabilities, these are opened as they are."""
        return frozenset(self.outputs) | ({"logits"} if self.likely and "probabilities" in self.outputs else set())

    @cached_property
    def model(self) -> PublicModel:
        """Its graph, and numbers that are public. Raises `ProgramError` for what is no network."""
        return decode_request(self.payload, _MODELS, "a model")

    @cached_property
    def graph(self) -> str:
        """The digest that owners of pictures agree to."""
        return agreed_graph(self.model.fingerprint, self.scale, self.mean, self.std, self.whole)


class HeldModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model as its owner keeps it. weights: the digest of the file that has them. quotas: on how many images of whom
    it predicts, in all. standing: peers whose questions are answered at once. requests: those who may ask, each
    prediction once it is approved. identities: of all these peers, to whom it was offered.
    """

    public: OfferedModel
    weights: str
    quotas: dict[Name, Natural] = {}
    standing: tuple[Name, ...] = ()
    requests: tuple[Name, ...] = ()
    identities: dict[Name, str] = {}

    @property
    def peers(self) -> tuple[str, ...]:
        """To whom something is given."""
        return tuple(dict.fromkeys((*self.standing, *self.requests, *self.quotas)))

    def without(self, names: Collection[str]) -> HeldModel:
        """The same, with nothing given to these."""
        standing, requests = all_but(names, self.standing), all_but(names, self.requests)
        quotas = {name: images for name, images in self.quotas.items() if name not in names}
        return replace(self, standing=standing, requests=requests, quotas=quotas)

    @property
    def version(self) -> str:
        """What is asked of it, and of which weights: approvals are for that."""
        return hashlib.sha256(msgspec.msgpack.encode((self.public, self.weights))).hexdigest()


class _Used(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By model, by whose images: how many, and whose the name was when it was offered."""

    images: dict[str, dict[str, Natural]] = {}
    identities: dict[str, dict[str, str]] = {}


class ModelShelf(Shelf[HeldModel]):
    """Of an instance, in its folder. Errors: `InstanceError` for damaged files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / _FILE, HeldModel, "model")
        self._folder, self._used = folder, folder / _USED

    @property
    def models(self) -> Mapping[str, HeldModel]:
        """By name."""
        return self.all

    def offer(
        self,
        public: OfferedModel,
        weights: bytes,
        quotas: Mapping[str, int],
        standing: tuple[str, ...] = (),
        requests: tuple[str, ...] = (),
    ) -> HeldModel:
        """Offer a model, in the place of one of its name; what was counted for that counts on, but of
        those who are others now by the names that they have. weights: the file of
        arrays that its workers read. Errors: `InputError` for a name that is none, or a number of images.
        """
        if not public.name.isidentifier():
            raise InputError(f"{public.name!r} is no name of a model: letters, digits and _")
        if wrong := [f"{name}={images}" for name, images in quotas.items() if images < 0]:
            raise InputError(f"a quota is a number of images, 0 at least, not {', '.join(wrong)}")
        digest = hashlib.sha256(weights).hexdigest()
        held = HeldModel(public, digest, dict(quotas), standing, requests)
        write_bytes(self.path(held), weights)
        self._note_owners(public.name)
        self.put(held)
        self._note_owners(public.name)
        self._sweep()
        return held

    def remove(self, name: str) -> None:
        """Offer it no more. Errors: `InstanceError` where there is none of that name."""
        self._note_owners(name)
        super().remove(name)
        self._sweep()

    def path(self, held: HeldModel) -> Path:
        """Where its weights are."""
        return (self._folder / _WEIGHTS / f"{held.weights}.npz").resolve()

    def _sweep(self) -> None:
        """Delete weights of models that are not offered any more."""
        with changing(self._path):
            known = {self.path(held) for held in self.models.values()}
            for path in (self._folder / _WEIGHTS).resolve().glob("*.npz"):
                if path not in known:
                    path.unlink(missing_ok=True)

    # --- what was used --------------------------------------------------------------------------------------------

    def used(self, model: str) -> Mapping[str, int]:
        """On how many images of whom a model has predicted."""
        found = read(self._used, _Used, _USED_WHAT) or _Used()
        return found.images.get(model, {})

    def _note_owners(self, model: str) -> None:
        """Keep beside the counts of a model whose they are, also once it is offered no more, or to others; from 0 on
        count those of who are others now.
        """
        now = next((item.identities for item in self._read() if item.public.name == model), {})
        with changing(self._used):
            body = read(self._used, _Used, _USED_WHAT) or _Used()
            before = body.identities.get(model, {})
            others = {one for one in now if before.get(one, now[one]) != now[one]}
            left = {one: count for one, count in body.images.get(model, {}).items() if one not in others}
            if now.items() - before.items():
                whose = {**body.identities, model: {**before, **now}}
                write(self._used, _Used({**body.images, model: left}, whose), _USED_WHAT)

    def use(self, held: HeldModel, use: UseModel, own: str, approved: bool = False) -> None:
        """Count images as used before they are, or back. own: this organisation, on whose images there is no limit.
        approved: whether a person's approval limits them, where no quota does, or this organisation asks itself.

        Errors: `PolicyError` where fewer are left, or none were ever granted to who has these images.
        """
        name, owner, count = held.public.name, use.asked.images_owner, use.asked.count
        limit = held.quotas.get(owner)
        granted = limit is not None or approved or owner in (own, *held.standing)
        if not use.back and not granted:
            raise PolicyError(f"{own} refuses: its model predicts on no images of {owner}'s", party=own)
        with changing(self._used):
            body = read(self._used, _Used, _USED_WHAT) or _Used()
            counts = body.images.get(name, {})
            before = counts.get(owner, 0)
            if not use.back and limit is not None and count > limit - before:
                left = max(0, limit - before)
                raise PolicyError(
                    f"{own} refuses: {left} images are left of its quota for {owner}, a prediction on {count} is "
                    "asked for",
                    party=own,
                    owner=owner,
                    left=left,
                )
            after = max(0, before - count) if use.back else before + count
            images = {**body.images, name: {**counts, owner: after}}
            write(self._used, replace(body, images=images), _USED_WHAT)
