"""A party's role: it checks every program, brings its own rows, and computes on shares that it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised, PolicyError, SessionError
from icm_ray.names import DEALER
from icm_ray.ops.labels import Labels
from icm_ray.ops.seams import NO_PROGRAM, Address, Frame, Link
from icm_ray.party.party import Party, RunResult
from icm_ray.payload import decode
from icm_ray.policy import Policy
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.stock import PartyStock
from icm_ray.program.kept import Kept
from icm_ray.program.program import Program
from icm_ray.program.stamped import Stamped
from icm_ray.protocols.io import array_shape
from icm_ray.query.row_set import RowSet
from icm_ray.query.tasks import TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.jobs import Gather, Job, Open
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.worker.guard import Guard
from icm_ray.runtime.worker.inputs import OwnRows
from icm_ray.runtime.worker.role import Role

__all__ = ["PartyRole"]

_Guarding = tuple[str, Policy | None, str]  # a dataset, its policy, and what an instance's catalogue calls it
_Moved = tuple[str, Kept, Labels, tuple[_Guarding, ...]]
_FACTS: msgspec.msgpack.Decoder[_Moved] = msgspec.msgpack.Decoder(_Moved)


class PartyRole(Role):
    """One of the parties of a lane. threads: that it keeps at work. guard: of an organisation's instance."""

    def __init__(
        self, name: str, lane: LanePlan, config: EngineConfig, threads: int, guard: Guard | None = None
    ) -> None:
        super().__init__(name)
        self._threads = threads
        self._rows = OwnRows(name, lane, config, guard)
        self._party: Party | None = None

    @property
    def _linked(self) -> Party:
        if self._party is None:
            raise SessionError(f"{self.name} has no links yet")
        return self._party

    @property
    def stock(self) -> PartyStock | None:
        return self._party.stock if self._party is not None else None

    def link(self, links: Mapping[str, Link], secrets: Mapping[str, bytes]) -> None:
        others = {peer: link for peer, link in links.items() if peer != DEALER}
        known = {peer: secrets[peer] for peer in others}
        if self._party is None:
            self._party = Party(self.name, others, links[DEALER], known, secrets[DEALER], threads=self._threads)
        else:
            self._party.relink(others, links[DEALER], known, secrets[DEALER])

    def prepare(self, program: Program, job: Job, given: dict[str, RingArray]) -> dict[str, RingArray]:
        party = self._linked
        self._rows.check_members(program)
        party.check(program)
        return self._rows.inputs(program, job, given, party.policies)

    def play(self, stamped: Stamped, job: Job, inputs: Mapping[str, RingArray]) -> RunResult:
        self._rows.commit()
        return self._linked.run(stamped, job.job, job.partition, inputs)

    def undo(self) -> None:
        self._linked.undo()

    def open_stock(self, directory: Directory) -> None:
        self._linked.stock = PartyStock(directory, self.name)

    def preprocess(self, stamped: Stamped, job: Job, count: int) -> Batch:
        self._rows.check_members(stamped.program)
        return self._linked.preprocess(stamped, job.job, count)

    def open_table(self, order: Open, pushed: Iterable[tuple[int, bytes]]) -> TableInfo:
        return self._rows.open(order, pushed)

    def set_policy(
        self, dataset: str, policy: Policy, tables: tuple[str, ...], sets: tuple[RowSet, ...]
    ) -> tuple[RowSet, ...]:
        self._rows.check_policy(tables, dataset, policy)
        self._linked.set_policy(dataset, policy)
        self._rows.belong(tables, dataset)
        return self._rows.ledgers.open(dataset, policy, sets)

    def gather(self, order: Gather, link: Link, home: bool) -> None:
        party, address = self._linked, Address(order.job, NO_PROGRAM, order.lane, 0)
        party.keep({})
        for key, shape in order.keys:
            kept = party.kept.get(key)
            if home and kept is not None:
                raise self._ungathered(f"keeps something under {key} already")
            if not home and (kept is None or kept.owner or array_shape(kept.type) != shape):
                raise self._ungathered(f"keeps no share of this shape under {key}, or nothing")
        taken: dict[str, tuple[RingArray, Kept, Labels]] = {}
        for step, (key, shape) in enumerate(order.keys):
            if not home:
                labels = party.labels.get(key, ())
                link.send_message(msgspec.msgpack.encode((key, party.kept[key], labels, self._guarding(labels))))
                link.send(Frame(address, step), (np.ascontiguousarray(party.store[key]),))
            else:
                name, kept, labels, guarding = decode(link.receive_message(), _FACTS, "what a share is of", self.name)
                if name != key or array_shape(kept.type) != shape:
                    raise self._ungathered(f"was sent something else than {key}")
                if guarding != self._guarding(labels):  # the driver may have told each lane something else
                    reason = f"what guards the rows of {key} is another in lane {order.lane} than in lane {order.home}"
                    raise PolicyError(f"{self.name} refuses: {reason}", party=self.name)
                words = np.empty(shape, np.uint64)
                link.receive(Frame(address, step), (words,))
                taken[key] = words, kept, labels
        party.keep(taken)

    def _guarding(self, labels: Labels) -> tuple[_Guarding, ...]:
        """What this worker holds the datasets to that a share is made of."""
        names = sorted({label.dataset for label in labels})
        return tuple((name, self._linked.policies.get(name), self._rows.catalogued(name)) for name in names)

    def _ungathered(self, reason: str) -> Desynchronised:
        return Desynchronised(f"{self.name} {reason}", party=self.name, step="gather")

    def compare_ledgers(self, link: Link, first: bool) -> None:
        self._rows.ledgers.compare(link, first=first)

    def forget(self, keys: tuple[str, ...]) -> None:
        self._rows.forget(keys)
        for key in keys:
            self._linked.forget(key, self._rows.datasets)
        self._rows.ledgers.keep(self._linked.policies)

    def close(self) -> None:
        super().close()
        self._rows.close()

    def settle(self) -> None:
        if self._party is not None:
            self._party.settle()
