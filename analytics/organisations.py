"""What a user touches of other organisations: their datasets as frames, through the own organisation's instance."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from weakref import WeakMethod

from analytics.arrived import Arrived, arrived
from analytics.dataset import Dataset
from analytics.frame import SecureFrame
from analytics.offered import Lanes, Opens, offered_frame, opened_in
from analytics.pictures import Pictures
from analytics.pooling import concat
from analytics.requests import Requested, again
from icm_ray.config import EngineConfig, from_environment
from icm_ray.errors import FaultError, IcmError, InputError, InstanceError, OwnerError, SessionClosed, SessionError
from icm_ray.instance.away_engine import AwayEngine
from icm_ray.instance.catalogue import PublicDataset
from icm_ray.instance.engine import Organisation, OrganisationEngine
from icm_ray.instance.jobs import Job
from icm_ray.instance.messages import AskJob, Datasets, Remembered
from icm_ray.instance.mock_engine import MockEngine, MockEngines
from icm_ray.instance.prediction_form import decode_prediction

if TYPE_CHECKING:
    from analytics.nn.peer_model import PeerModel
    from icm_ray.instance.models import OfferedModel

__all__ = ["Connection", "Peer", "connect"]

T = TypeVar("T")
_HOME: Final = "~/.icm"
_AWAY: Final = 5.0
"""Seconds in which who is away is not tried again, but by who reveals something."""


class Connection:
    """A connection leads to the own organisation's instance, and through it to peers'. `connect` opens it.

    Lanes between organisations are assembled when they are first needed, one set for each set of organisations.

    Attributes:
        name (str): The own organisation.
        peers (tuple[str, ...]): Those that were approved.
    """

    def __init__(self, folder: Path, lanes: int, config: EngineConfig | None) -> None:
        self._own, self._folder = Organisation(folder), folder
        self._lanes, self._settings = lanes, config or from_environment()
        self._mocks = MockEngines(self._own.name, self._own.peers, self._settings)
        self._engines: dict[tuple[str, ...], OrganisationEngine] = {}
        self._lock = threading.Lock()
        self._away: dict[tuple[str, ...], tuple[float, AwayEngine]] = {}
        self._closed, self._assemble, self._wider = False, WeakMethod(self._assembled), WeakMethod(self._found)

    @property
    def name(self) -> str:
        """The own organisation."""
        return self._own.name

    @property
    def peers(self) -> tuple[str, ...]:
        """Organisations that this one has approved."""
        return self._own.peers

    def peer(self, name: str) -> Peer:
        """Another organisation, or the own one by its own name.

        Args:
            name: As the roster has it.

        Raises:
            OwnerError: Nobody of that name is approved here.

        Examples:
            >>> icm.connect().peer("bob")["visits"]["cost"].mean().reveal()  # doctest: +SKIP
            203.3
        """
        self._check(name)
        return Peer(self, name)

    def frame(self, datasets: Mapping[str, str]) -> SecureFrame:
        """The rows of several organisations as one frame: those of the own one too, if it is named.

        Args:
            datasets: By organisation, the name of a dataset in its catalogue.

        Returns:
            A frame of the columns that all have. Each dataset's own policy holds for its rows, and the strictest rule
            of all for all of them.

        Raises:
            OwnerError: Nobody is named, or somebody who is not approved.
            PolicyError: An organisation offers no such dataset to this one.
            ColumnError: Columns that not all have.
            FaultError: An instance or a worker fails.

        Examples:
            >>> session = icm.connect()  # doctest: +SKIP
            >>> session.frame({"alice": "visits", "bob": "visits"})["cost"].mean().reveal()  # doctest: +SKIP
            203.3
        """
        if not datasets:
            raise OwnerError("no organisation is named")
        for owner in datasets:
            self._check(owner)
        return concat([self._frame(owner, self._public(owner, name)) for owner, name in datasets.items()])

    def _frame(self, owner: str, public: PublicDataset) -> SecureFrame:
        def lanes(others: tuple[str, ...], opens: Opens) -> list[Dataset]:
            return self._opened(others, opens)

        def mocks(others: tuple[str, ...]) -> MockEngine:
            return self._mocks.of((self.name, *self._members(others)))

        return offered_frame(owner, public, Lanes(self._own, self.name, self._settings, lanes, mocks))

    def _catalogue(self, owner: str) -> Datasets:
        """What an organisation offers to this one; of one who is away what it did when it was last asked, by whatever
        process: mock rows are drawn from that, and questions requested; workers open nothing but what is offered now.
        """
        return self._heard(owner, self._own.catalogue, lambda kept: kept.datasets)

    def _models(self, owner: str) -> tuple[OfferedModel, ...]:
        """The same of models."""
        return self._heard(owner, self._own.models, lambda kept: None if kept.models is None else kept.models.models)

    def _heard(self, owner: str, ask: Callable[[str], T], kept: Callable[[Remembered], T | None]) -> T:
        """What an organisation says, or what is kept of one who is away. Errors: that of asking, where nothing is."""
        try:
            return ask(owner)
        except FaultError as error:
            found = kept(self._own.remembered(owner))
            if found is not None:
                return found
            never = f"what {owner} offers was never heard here, so it cannot be requested before it is back"
            raise type(error)(f"{error.message}; {never}", **error.where) from None

    def job(self, name: str) -> Requested:
        """What was requested before, in whatever process of this organisation.

        Args:
            name: The job's id (`icm jobs`).

        Returns:
            The request. Its `result` is a number where the query's was one; of what is made of several statistics, such
            as groups, the plain results of these as a tuple. The same query revealed again gives all of it.

        Raises:
            InstanceError: There is no such job.

        Examples:
            >>> icm.connect().job("0123456789abcdef").result(timeout=60)  # doctest: +SKIP
            203.3
        """
        found = self._own.link.call(AskJob(name))
        if not isinstance(found, Job):
            raise InstanceError(f"there is no job {name} here: icm jobs")
        return Requested(self._own.link, found, partial(self._again, found))

    def _again(self, job: Job) -> Any:
        """Ask what a job asks, of the same datasets, or of the same model and pictures."""
        if job.kind == "prediction":
            return self._predict_again(job)
        offered = {name: (owner, self._public(owner, dataset)) for name, (owner, dataset) in job.datasets.items()}

        def opened(engine: OrganisationEngine | AwayEngine) -> list[Dataset]:
            return [opened_in(engine, owner, public) for owner, public in offered.values()]

        others = tuple(party for party in job.parties if party != self.name)
        datasets = self._opened(others, opened, self._engine)  # it is answered now, or fails
        return again(job, dict(zip(offered, datasets, strict=True)))

    def _predict_again(self, job: Job) -> Any:
        if "pictures" not in job.datasets:
            raise InputError(
                f"the images of job {job.id} were of another process: predict on them again, and reveal() at once"
            )
        asked = decode_prediction(job.question, self.name)
        found = self.item(*job.datasets["pictures"])
        more: dict[str, Any] = {"k": asked.k} if asked.output == "top_k" else {}
        more |= {"threshold": asked.threshold} if asked.output == "above" else {}
        return self.model_of(*job.datasets["model"]).predict(found, asked.output, **more).reveal(to=asked.to or None)

    def results(self) -> tuple[Arrived, ...]:
        """What peers' questions have answered for this organisation, by number: `query.reveal(to=...)` of theirs.

        Raises:
            InstanceError: The instance's files are damaged.

        Examples:
            >>> [result.value() for result in icm.connect().results()]  # doctest: +SKIP
            [203.3]
        """
        return tuple(arrived(self._folder))

    def model(self, name: str) -> PeerModel:
        """A model of the own organisation's, else of the first peer who offers one of that name to it.

        Args:
            name: As its owner's catalogue has it; where several peers may have one: `session.peer("alice").model`.

        Raises:
            OwnerError: Nobody offers it.
            FaultError: The own instance cannot be asked, or none of the peers can.

        Examples:
            >>> session = icm.connect()  # doctest: +SKIP
            >>> session.model("skin").predict(session.peer("bob")["lesions"]).reveal()  # doctest: +SKIP
            array([1, 0, 4])
        """
        lost: IcmError | None = None
        for owner in (self.name, *self.peers):
            try:
                models = self._models(owner)
            except FaultError as error:  # whoever is away and was never asked has none today
                lost = error
                continue
            for offer in models:
                if offer.name == name:
                    return self._model(owner, offer)
        away = f"; {lost.message}" if lost is not None else ""
        raise OwnerError(f"nobody offers a model {name!r} to {self.name}{away}")

    def _model(self, owner: str, offer: OfferedModel) -> PeerModel:
        from analytics.nn.peer_model import PeerModel  # torch, for those who have models alone

        return PeerModel(owner, offer, self.name, self._found, self._check)

    def _check(self, name: str) -> None:
        if name != self.name and name not in self.peers:
            raise OwnerError(f"{name!r} is not approved here; there are {', '.join((self.name, *self.peers))}")

    def _public(self, owner: str, name: str) -> PublicDataset:
        return self._dataset(owner, name, self._catalogue(owner))

    def _dataset(self, owner: str, name: str, catalogue: Datasets) -> PublicDataset:
        found = next((item for item in catalogue.datasets if item.name == name), None)
        if found is None:
            known = ", ".join(_names(catalogue)) or "nothing"
            raise OwnerError(f"{owner} offers no dataset {name!r} to {self.name}; it offers {known}")
        return found

    def _members(self, others: tuple[str, ...]) -> tuple[str, ...]:
        """The others in lanes with these organisations."""
        wanted = tuple(sorted(others)) or self.peers[:1]
        if not wanted:
            raise OwnerError(f"{self.name} has no peer to compute with: icm invite NAME")
        return wanted

    def _engine(self, others: tuple[str, ...]) -> OrganisationEngine:
        """Lanes with these organisations; for rows of the own one alone with the first peer, who computes with it."""
        wanted = self._members(others)
        for owner in wanted:
            self._check(owner)
        with self._lock:
            if self._closed:
                raise SessionClosed("the connection was closed")
            if wanted not in self._engines or not self._lives(self._engines[wanted]):
                made = OrganisationEngine(self._own, wanted, self._lanes, self._settings, self._mocks, self._wider)
                self._engines[wanted] = made
            return self._engines[wanted]

    def _opened(
        self,
        others: tuple[str, ...],
        opens: Opens,
        lanes: Callable[[tuple[str, ...]], OrganisationEngine | AwayEngine] | None = None,
    ) -> list[Dataset]:
        """What is opened in lanes with these organisations, or stated where some are away. Where lanes turn out to be
        lost, nothing was asked of rows yet: it is opened in others, once. lanes: which they are, in the place of these.
        """
        found = lanes or self._found
        engine = found(others)
        try:
            return opens(engine)
        except (FaultError, SessionError):
            if isinstance(engine, AwayEngine) or self._lives(engine):
                raise
        return opens(found(others))

    def _assembled(self, others: tuple[str, ...]) -> OrganisationEngine:
        """As `_engine` has them, for what holds no connection: all are there now."""
        engine = self._engine(others)
        self._away.pop(self._members(others), None)
        return engine

    def _found(self, others: tuple[str, ...]) -> OrganisationEngine | AwayEngine:
        """Lanes with these organisations, or what stands for them where some are away; for a moment they are so."""
        wanted = self._members(others)
        since, away = self._away.get(wanted, (0.0, None))
        if away is not None and monotonic() - since < _AWAY:
            return away
        try:
            return self._engine(wanted)
        except FaultError as error:
            away = AwayEngine(self._own, wanted, self._settings, error, self._mocks, self._wider, self._assemble)
            self._away[wanted] = monotonic(), away
            return away

    @staticmethod
    def _lives(engine: OrganisationEngine) -> bool:
        """Whether some lane does; one without any is closed, and lanes are assembled anew."""
        engine.look()
        try:
            return bool(engine.usable_lanes)
        except (SessionError, FaultError) as error:
            engine.farewell = f"the lanes of this frame were lost, take it from its peer again: {error.message}"
            engine.close()
            return False

    def offered(self, owner: str) -> tuple[str, ...]:
        """The names of the datasets and pictures that an organisation offers to this one."""
        return _names(self._catalogue(owner))

    def item(self, owner: str, name: str) -> SecureFrame | Pictures:
        """The dataset, or the pictures, of a name that an organisation offers to this one."""
        catalogue = self._catalogue(owner)
        for item in catalogue.pictures:
            if item.name == name:
                return Pictures(owner, name, item.images, item.mock)
        return self._frame(owner, self._dataset(owner, name, catalogue))

    def model_of(self, owner: str, name: str) -> PeerModel:
        """A model that an organisation offers to this one. Raises `OwnerError` where it offers none of that name."""
        offered = {offer.name: offer for offer in self._models(owner)}
        if name not in offered:
            known = ", ".join(offered) or "none"
            raise OwnerError(f"{owner} offers no model {name!r} to {self.name}; it offers {known}")
        return self._model(owner, offered[name])

    def close(self) -> None:
        """End the lanes and hang up. Idempotent."""
        with self._lock:
            self._closed = True
            engines, self._engines = list(self._engines.values()), {}
        for engine in engines:
            engine.close()
        self._mocks.close()
        self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Connection({self.name}, peers={self.peers})"


class Peer(Mapping[str, Any]):
    """A peer is a mapping from the names of the datasets that it offers to this organisation, to frames; pictures are
    `Pictures`, which models predict on.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self.name = connection, name

    def __getitem__(self, dataset: str) -> Any:
        return self._connection.item(self.name, dataset)

    def __iter__(self) -> Iterator[str]:
        return iter(self._connection.offered(self.name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def model(self, name: str) -> PeerModel:
        """A model that it offers to this organisation.

        Args:
            name: As its catalogue has it.

        Raises:
            OwnerError: It offers none of that name.

        Examples:
            >>> icm.connect().peer("alice").model("skin")  # doctest: +SKIP
            <model skin of alice: label of (3, 28, 28)>
        """
        return self._connection.model_of(self.name, name)

    def __repr__(self) -> str:
        return f"Peer({self.name})"


def connect(
    folder: str | os.PathLike[str] | None = None, lanes: int = 1, config: EngineConfig | None = None
) -> Connection:
    """Connect with the own organisation's instance, which serves on this machine.

    Args:
        folder: The instance's folder; None: that of the environment variable ICM_HOME, else ~/.icm.
        lanes: How many partitions are worked on at a time.
        config: Settings of this process; each instance has its own for its workers.

    Returns:
        A connection; `with` closes it at its end.

    Raises:
        InstanceError: There is no instance, or it does not serve.
        FaultError: It cannot be reached.

    Examples:
        >>> with icm.connect() as session:  # doctest: +SKIP
        ...     session.peer("bob")["visits"]["cost"].mean().reveal()
        203.3
    """
    home = folder if folder is not None else os.environ.get("ICM_HOME", _HOME)
    return Connection(Path(home).expanduser(), lanes, config)


def _names(catalogue: Datasets) -> tuple[str, ...]:
    return (*(item.name for item in catalogue.datasets), *(item.name for item in catalogue.pictures))
