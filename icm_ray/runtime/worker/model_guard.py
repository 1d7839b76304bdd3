"""What a worker of an organisation's instance holds predictions against: weights and pictures come from its own
catalogue, by name, and go where that says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final
from zipfile import BadZipFile

import msgspec
import numpy as np

from icm_ray.errors import PolicyError, ProgramError, SourceError
from icm_ray.network.model import IMAGES
from icm_ray.network.programs import ModelQuestion, PredictionQuestion, WeightLoad, bias_name
from icm_ray.query.held import HeldImageSource, HeldWeight
from icm_ray.query.image_tasks import ImageRows, ImageSource
from icm_ray.query.tasks import Given, InputTask
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.agreed_graph import agreed_graph
from icm_ray.runtime.orders.house import UseModel, UsePictures, Weights
from icm_ray.runtime.worker.house import House

__all__ = ["ModelGuard"]

_BLOCK: Final = 1 << 20
"""Bytes of a file that are read at once."""
_Version = tuple[str, str]  # the fingerprint of a model, and the version that keys of its weights are derived from


class ModelGuard:
    """Of the member `name`. What the asker states of weights and pictures are names in the catalogue, and nothing else;
    an asker of the same organisation may bring arrays, which are its own.
    """

    def __init__(self, name: str, house: House) -> None:
        self._name, self._house = name, house
        self._pictures: dict[str, tuple[HeldImageSource, str]] = {}  # by table, and which these are
        self._loaded: dict[_Version, tuple[str, str]] = {}  # the model of the catalogue, and the digest of its weights
        self._loading: tuple[_Version, str, Weights] | None = None
        self._reserved: list[UseModel | UsePictures] = []

    # --- pictures -------------------------------------------------------------------------------------------------

    def open(self, table: str, asked: HeldImageSource) -> ImageSource:
        """Where pictures lie. Raises what the instance refuses with."""
        source, version = self._house.pictures(asked.dataset, asked.shape)
        self._pictures[table] = asked, version
        return source

    def has(self, table: str) -> bool:
        """Whether a table is of pictures of the catalogue."""
        return table in self._pictures

    def forget(self, table: str) -> None:
        """It is dropped."""
        self._pictures.pop(table, None)

    # --- predictions ----------------------------------------------------------------------------------------------

    def check(self, asked: ModelQuestion, tasks: Mapping[str, InputTask]) -> None:
        """Raise `PolicyError`, `ProgramError` or what the instance refuses with for a question, whose program was
        derived, that takes of this member what its catalogue does not offer. tasks: this member's.
        """
        if isinstance(asked, WeightLoad):
            self._check_load(asked, tasks)
            return
        if any(isinstance(task, HeldWeight) for task in tasks.values()):
            raise self._refusal("a prediction takes no weights: they are loaded before")
        if asked.images == self._name:
            self._check_pictures(asked, tasks)
        elif tasks:
            raise self._refusal("the prediction takes nothing of this member")
        if asked.owner == self._name:
            self._check_use(asked)

    def _check_load(self, asked: WeightLoad, tasks: Mapping[str, InputTask]) -> None:
        if asked.owner != self._name:
            if tasks:
                raise self._refusal("the weights are another member's")
            return
        models = {task.model for task in tasks.values() if isinstance(task, HeldWeight)}
        key = asked.model.fingerprint, asked.version
        if not models and self._house.mine and key not in self._loaded:
            return  # its own driver brings its own weights
        (model,) = models if len(models) == 1 else ("",)
        if set(tasks) != set(_names(asked)) or any(task != HeldWeight(model) for task in tasks.values()):
            raise self._refusal("weights are those of one model, asked for by its name in the catalogue")
        found = self._house.weights(model)
        if found.fingerprint != asked.model.fingerprint:
            raise self._refusal("the graph that is stated is another than the model's")
        if self._loaded.get(key, (model, found.digest)) != (model, found.digest):
            raise self._refusal("other weights were loaded under this version")
        self._loading = key, model, found

    def _check_use(self, asked: PredictionQuestion) -> None:
        held = self._loaded.get((asked.model.fingerprint, asked.version))
        if held is None:
            if not self._house.mine:
                raise self._refusal("no weights of its catalogue were loaded for this graph and version")
            return
        self._use(UseModel(*held, self._house.facts_of(asked)))

    def _use(self, use: UseModel | UsePictures) -> None:
        self._house.use(use)
        self._reserved.append(use)

    def _check_pictures(self, asked: PredictionQuestion, tasks: Mapping[str, InputTask]) -> None:
        task = tasks.get(IMAGES)
        if isinstance(task, Given) and self._house.mine:
            return
        if not isinstance(task, ImageRows) or task.table not in self._pictures:
            raise self._refusal("pictures are asked for by their name in the catalogue")
        held, version = self._pictures[task.table]
        if held.shape != asked.model.graph.input_shape or len(tasks) != 1:
            raise self._refusal("the pictures were opened for another network")
        graph = agreed_graph(asked.model.fingerprint, task.scale, task.mean, task.std, task.whole)
        self._use(UsePictures(held.dataset, graph, self._house.facts_of(asked), opened=version))

    def weights(self, names: Iterable[str]) -> dict[str, RingArray]:
        """Of the model whose load was checked last. The file's folder has room for a copy of it meanwhile. Errors:
        `SourceError` for a file that is not what the catalogue says, and where there is no such room.
        """
        if self._loading is None:
            raise ProgramError(f"{self._name} has no weights to load")
        _, model, found = self._loading
        try:
            with TemporaryFile(dir=Path(found.path).parent) as own:  # a copy that nobody else can change
                if _copied(Path(found.path), own) != found.digest:
                    raise ValueError("its bytes are others than when it was offered")
                with np.load(own, allow_pickle=False) as arrays:
                    return {name: np.ascontiguousarray(arrays[name], np.uint64) for name in names}
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise SourceError(f"the weights of the model {model!r} cannot be read: {error}", path=found.path) from None

    def commit(self) -> None:
        """What was checked last begins."""
        if self._loading is not None:
            key, model, found = self._loading
            self._loaded[key] = model, found.digest
        self._loading, self._reserved = None, []

    def spoil(self) -> None:
        """Pictures cannot be shared that were asked for last: that was told, so it counts."""
        self._reserved = [use for use in self._reserved if isinstance(use, UseModel)]

    def drop(self) -> None:
        """What was checked last does not begin, where it has not: what it would have used was not used."""
        uses, self._loading, self._reserved = self._reserved, None, []
        for use in uses:
            self._house.use(msgspec.structs.replace(use, back=True))

    def _refusal(self, reason: str) -> PolicyError:
        return PolicyError(f"{self._name} refuses: {reason}", party=self._name)


def _names(asked: WeightLoad) -> list[str]:
    """Under which the program takes weights and biases."""
    graph = asked.model.graph
    products = [name for name in asked.model.lowered.weights if graph.loaders[name] == name]
    return products + [bias_name(name) for name in products if graph.product(name).bias_key is not None]


def _copied(path: Path, own: BinaryIO) -> str:
    """The digest of what was copied: the file is read once, and never held."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            own.write(block)
    own.seek(0)
    return digest.hexdigest()
