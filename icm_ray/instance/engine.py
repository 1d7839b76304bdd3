"""Lanes between organisations: each member's worker is started by its own instance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from icm_ray.config import EngineConfig, from_environment
from icm_ray.errors import Desynchronised, InstanceError
from icm_ray.instance.away_engine import AwayEngine
from icm_ray.instance.catalogue import PublicDataset
from icm_ray.instance.messages import (
    Datasets,
    Forward,
    ListDatasets,
    ListOffers,
    ListPeers,
    Offers,
    Peers,
    Remember,
    Remembered,
)
from icm_ray.instance.mock_engine import MockEngines
from icm_ray.instance.models import OfferedModel
from icm_ray.instance.of_organisation import OfOrganisation
from icm_ray.instance.peer_handle import PeerHandle
from icm_ray.instance.user_link import UserLink
from icm_ray.instance.vouchers import Voucher
from icm_ray.names import DEALER, DRIVER
from icm_ray.query.tasks import HeldSource
from icm_ray.runtime.driver.checked_names import checked_names
from icm_ray.runtime.driver.engine import Table
from icm_ray.runtime.driver.lane_engine import LaneEngine
from icm_ray.runtime.orders.lane_plan import Place
from icm_ray.runtime.orders.limits import transport_config
from icm_ray.transport import Identity, TcpStation

__all__ = ["Organisation", "OrganisationEngine"]


class Organisation:
    """What a user's process knows of its organisation and its peers, through the own instance."""

    def __init__(self, folder: Path) -> None:
        self.link = UserLink(folder)
        found = self.link.call(ListPeers())
        if not isinstance(found, Peers):
            raise InstanceError("the own instance says nothing of its peers")
        self.name, self.peers, self.dealer = found.name, found.peers, found.dealer

    def catalogue(self, owner: str) -> Datasets:
        """The datasets and pictures that an organisation offers to this one. Errors: those of asking it."""
        found = self.link.call(Forward(owner, ListDatasets()))
        if not isinstance(found, Datasets):
            raise Desynchronised(f"{owner} sent something else than its datasets", party=owner)
        return found

    def remembered(self, owner: str) -> Remembered:
        """What a peer offered to this organisation when it was last asked. Errors: those of asking the own instance."""
        if owner == self.name:
            return Remembered()
        found = self.link.call(Remember(owner))
        if not isinstance(found, Remembered):
            raise Desynchronised("the own instance says something else than what it remembers")
        return found

    def models(self, owner: str) -> tuple[OfferedModel, ...]:
        """The models that an organisation offers to this one. Errors: those of asking it."""
        found = self.link.call(Forward(owner, ListOffers()))
        if not isinstance(found, Offers):
            raise Desynchronised(f"{owner} sent something else than its models", party=owner)
        return found.models

    def close(self) -> None:
        """Hang up. Idempotent."""
        self.link.close()


class OrganisationEngine(OfOrganisation, LaneEngine):
    """`Engine` whose parties are organisations: this one and `others`, and a dealer whom all have pinned.

    wider: of whoever opened it, the lanes with others; None once that is gone.

    Errors: `InstanceError` (no dealer, unknown peers), what assembling the lanes raises.
    """

    def __init__(
        self,
        own: Organisation,
        others: Sequence[str],
        lanes: int = 1,
        config: EngineConfig | None = None,
        mocks: MockEngines | None = None,
        wider: Callable[[], Callable[[tuple[str, ...]], OrganisationEngine | AwayEngine] | None] = lambda: None,
    ) -> None:
        if not own.dealer:
            raise InstanceError(f"{own.name} knows no dealer: invite one (icm serve --dealer), and approve it")
        parties, _ = checked_names((own.name, *others), ())
        settings = config or from_environment()
        self.mocks = mocks or MockEngines(own.name, own.peers, settings)
        """Lanes in this process, for mock rows."""
        self.local = False
        self.held: dict[str, tuple[str, PublicDataset]] = {}
        """By table: the owner, and what its catalogue says of the dataset."""
        self._own, self._wider = own, wider
        places = own.link.settings
        vouchers: list[dict[str, Voucher]] = []
        pool = ThreadPoolExecutor((len(parties) + 1) * lanes, "icm-join")  # all wait for all others

        def start(name: str) -> PeerHandle:
            if name == parties[0]:
                vouchers.append({})
            place = self._session, len(vouchers) - 1
            return PeerHandle(name, own.dealer if name == DEALER else name, own.link, place, vouchers[-1], pool)

        here = Place(
            places.workers_bind or places.bind[0], not places.dial_only, places.worker_ports, places.workers_host
        )
        try:
            station = TcpStation(
                Identity.create(DRIVER),
                here.host,  # where nobody else reaches it, the own worker has to, which does not listen then
                True,
                transport_config(settings),
                ports=here.ports,
                advertise=here.advertise,
            )
        except OSError as error:
            raise here.refused(DRIVER, error) from None

        def leave() -> None:
            pool.shutdown()
            station.close()

        of = {DEALER: own.dealer}
        super().__init__(parties, (), lanes, settings, start, leave=leave, station=station, organisations=of)

    def open_held(self, owner: str, public: PublicDataset) -> Table:
        """Open a dataset of a catalogue. Errors: those of `open_table`."""
        table = self.open_table(owner, HeldSource(public.name))
        self.held[table.name] = owner, public
        return table
