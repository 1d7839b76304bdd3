"""A model of an organisation's catalogue, as users ask it: its graph is known, its weights are its owner's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analytics.nn.intake import Intake
from analytics.nn.loaded import LoadedWeights
from analytics.nn.mock_request import MockImages, MockRequest
from analytics.nn.peer_prediction import PeerPrediction
from analytics.nn.quota import Quota
from analytics.nn.request import PredictionRequest, Progress
from analytics.nn.sources.find import is_ray_dataset, source_of
from analytics.nn.sources.held import HeldImages, StatedImages, are_paths
from analytics.nn.wanted import Wanted
from analytics.pictures import MockPictures, Pictures
from icm_ray.config import from_environment
from icm_ray.errors import InputError, UnsupportedError
from icm_ray.instance.away_engine import AwayEngine
from icm_ray.instance.mock_engine import MockEngine
from icm_ray.instance.models import OfferedModel
from icm_ray.network.model import PublicModel
from icm_ray.network.outputs import Output
from icm_ray.network.programs import bias_name
from icm_ray.query.held import HeldImageSource, HeldWeight
from icm_ray.ring.array import RingArray
from icm_ray.runtime.driver.engine import Engine
from icm_ray.runtime.driver.stays_here import StaysHere

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PeerModel"]


@dataclass(frozen=True, slots=True)
class _InCatalogue:
    """Weights that their owner's worker takes from its own catalogue."""

    model: PublicModel
    name: str

    def brought(self) -> tuple[Mapping[str, RingArray], Mapping[str, HeldWeight]]:
        graph, held = self.model.graph, HeldWeight(self.name)
        products = [name for name in self.model.lowered.weights if graph.loaders[name] == name]
        biases = [bias_name(name) for name in products if graph.product(name).bias_key is not None]
        return {}, dict.fromkeys(products + biases, held)


@dataclass(frozen=True, slots=True)
class _Published:
    """The error that the model's owner says is to be expected."""

    error: float


class PeerModel(StaysHere):
    """A model that an organisation offers to this one; `session.model` finds it.

    Args:
        owner: The organisation whose model it is.
        offer: What its instance says of it.
        name: The own organisation.
        engine: Lanes with these organisations.
        check: Raises `OwnerError` for an organisation that is not approved here.

    Attributes:
        owner (str): The organisation whose model it is.
        name (str): Its name in its owner's catalogue.
        outputs (tuple[str, ...]): What it may be asked for.
        input_shape (tuple[int, ...]): The shape of one image.
        graph (str): A digest of all that is public of it, which owners of pictures agree to.
    """

    def __init__(
        self,
        owner: str,
        offer: OfferedModel,
        name: str,
        engine: Callable[[tuple[str, ...]], Engine],
        check: Callable[[str], None],
    ) -> None:
        self.owner, self.name, self.outputs, self.graph = owner, offer.name, offer.outputs, offer.graph
        self.input_shape = offer.model.graph.input_shape
        self._offer, self._own, self._engine, self._check = offer, name, engine, check
        mean, std = (_channels(part, self.input_shape) for part in (offer.mean, offer.std))
        self._intake = Intake(offer.scale, mean, std, offer.whole)
        self._loaded: dict[tuple[str, ...], tuple[Engine, LoadedWeights]] = {}
        self._mocks: dict[tuple[str, ...], LoadedWeights] = {}

    def __repr__(self) -> str:
        return f"<model {self.name} of {self.owner}: {', '.join(self.outputs)} of {self.input_shape}>"

    @property
    def expected_error(self) -> float:
        """What its owner says that a logit's error stays below in 999 of 1000 predictions.

        Examples:
            >>> session.model("skin").expected_error  # doctest: +SKIP
            0.00390625
        """
        return self._offer.error

    def predict(
        self,
        images: Any,
        output: Output = "label",
        progress: Progress | None = None,
        *,
        k: int | None = None,
        threshold: float | None = None,
        errors: Literal["raise", "mask"] = "raise",
        skip: Iterable[Any] = (),
    ) -> PeerPrediction:
        """Prepare a prediction; nothing is shared before its `reveal`, whose recipient alone hears the result.

        Args:
            images: Pictures of a catalogue, such as `session.peer("bob")["lesions"]`, which their owner's worker reads,
                or mock ones in their place (`Pictures.mock`), about which answers are invented; or images of the own
                organisation's in this process, as `SecureModel.predict` takes them.
            output: One of `outputs`.
            progress: Called during `reveal` with (images done, images in all or None) after each batch.
            k: How many classes, for "top_k".
            threshold: For "above": a logit.
            errors: "raise" names an image that cannot be used, where it is the own organisation's; "mask" leaves it
                out.
            skip: Ids of images to leave out.

        Returns:
            A prediction; its `request` asks owners whose model, or pictures, do not stand open.

        Raises:
            InputError: An output that is none; images that are none.
            PolicyError: Pictures that are not offered to this organisation; raised by `reveal`: an output, a graph or
                more images than their owners allow, a model that was replaced.
            FaultError: An instance or a worker fails.

        Examples:
            >>> session = icm.connect()  # doctest: +SKIP
            >>> lesions = session.peer("bob")["lesions"]  # doctest: +SKIP
            >>> session.model("skin").predict(lesions, output="label").reveal()  # doctest: +SKIP
            array([1, 0, 4])
        """
        if errors not in ("raise", "mask"):
            raise InputError(f"errors is 'raise' or 'mask', not {errors!r}")
        if are_paths(images):
            raise InputError("pictures are named by the catalogue they are in: icm data NAME FILES, and its name here")
        public = self._offer.model
        wanted = Wanted.of(public, output, k, threshold, likely=self._offer.likely)
        owner = images.owner if isinstance(images, Pictures | MockPictures) else self._own
        given = source_of(images, self.input_shape) if _are_given(images) else None
        masked, skipped = errors == "mask", frozenset(skip)

        def made(*beside: str) -> PredictionRequest:
            """In lanes that these take part in, too."""
            return self._request(images, given, owner, beside, wanted, progress, masked, skipped)

        request = made()
        request.look()
        pictures = images.name if isinstance(images, Pictures | MockPictures) else None
        return PeerPrediction(request, self.graph, self.name, pictures, made)

    def _request(
        self,
        images: Any,
        given: Any,
        owner: str,
        beside: tuple[str, ...],
        wanted: Wanted,
        progress: Progress | None,
        masked: bool,
        skip: frozenset[Any],
    ) -> PredictionRequest:
        """given: the source of images that are of no catalogue. beside: who else takes part."""
        weights = self._mock_weights if isinstance(images, MockPictures) else self._weights
        loaded, source = weights(owner, beside), given
        kind: Callable[..., PredictionRequest] = PredictionRequest
        if isinstance(images, Pictures):
            session, there = loaded.session, HeldImageSource(images.name, self.input_shape)
            away = isinstance(session, AwayEngine)
            source = StatedImages(images.count) if away else HeldImages(session, owner, there)
        elif isinstance(images, MockPictures):
            source, names = MockImages(images.count), (self.owner, self.name, images.owner, images.name)
            kind = partial(MockRequest, offer=None if self.owner == self._own else self._offer, names=names)
        return kind(
            loaded=loaded,
            model=self._offer.model,
            source=source,
            intake=self._intake,
            wanted=wanted,
            owner=owner,
            expectation=_Published(self._offer.error),
            size=self._offer.batch,
            masked=masked,
            skip=skip,
            id_name=None,
            handle=_no_handle,
            progress=progress,
        )

    def _mock_weights(self, images: str, beside: tuple[str, ...]) -> LoadedWeights:
        """None: what a prediction on mock pictures is explained by."""
        parties = (self._own, *sorted({self.owner, images, *beside} - {self._own}))
        if parties not in self._mocks:
            for other in beside:
                self._check(other)
            engine = MockEngine(parties, self._own, from_environment())
            weights = _InCatalogue(self._offer.model, self.name)
            self._mocks[parties] = LoadedWeights(engine, weights, self.owner, Quota(None, parties, 1))
        return self._mocks[parties]

    def _weights(self, images: str, beside: tuple[str, ...]) -> LoadedWeights:
        """The weights in lanes with the owner of images, and with others."""
        members = tuple(sorted({self.owner, images, *beside} - {self._own}))
        engine = self._engine(members)
        if members not in self._loaded or self._loaded[members][0] is not engine:
            weights = _InCatalogue(self._offer.model, self.name)
            quota = Quota(None, engine.parties, engine.lanes)  # its owner's instance counts
            self._loaded[members] = engine, LoadedWeights(engine, weights, self.owner, quota)
        return self._loaded[members][1]


def _are_given(images: Any) -> bool:
    """Whether images are of no catalogue. Errors: `UnsupportedError` for those of a cluster."""
    if is_ray_dataset(images):
        raise UnsupportedError("a ray.data.Dataset is predicted on within one cluster, by an.SecureModel")
    return not isinstance(images, Pictures | MockPictures)


def _channels(numbers: tuple[float, ...], shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    if not numbers:
        return None
    found = np.array(numbers, np.float64)
    return found[0] if len(numbers) == 1 else found.reshape(-1, *[1] * (len(shape) - 1))


def _no_handle(_: str | None) -> Any:
    raise UnsupportedError("a model between organisations has no handles: their lanes belong to this process")
