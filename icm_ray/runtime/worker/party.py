"""A party's role: it checks every program, brings its own rows, and computes on shares that it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import numpy as np

from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised, FaultError, IcmError, PolicyError, SessionError
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
_COUNT: Final = 4
"""Bytes of a number of shares."""
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
        """What each side is asked to move is agreed on before any share is sent: of who refuses the other hears at
        once.
        """
        self._linked.keep({})
        if home:
            self._linked.keep(self._taken(order, link))
        else:
            self._give(order, link)

    def _give(self, order: Gather, link: Link) -> None:
        party, address = self._linked, Address(order.job, NO_PROGRAM, order.lane, 0)
        for key, shape in order.keys:
            kept = party.kept.get(key)
            if kept is None or kept.owner or array_shape(kept.type) != shape:
                link.send_message(b"")
                raise self._ungathered(f"keeps no share of this shape under {key}, or nothing")
        link.send_message(len(order.keys).to_bytes(_COUNT, "little"))
        for key, _ in order.keys:
            labels = party.labels.get(key, ())
            link.send_message(msgspec.msgpack.encode((key, party.kept[key], labels, self._guarding(labels))))
        if not link.receive_message():
            return  # the other side says why
        for step, (key, _) in enumerate(order.keys):
            link.send(Frame(address, step), (np.ascontiguousarray(party.store[key]),))

    def _taken(self, order: Gather, link: Link) -> dict[str, tuple[RingArray, Kept, Labels]]:
        try:
            count = int.from_bytes(link.receive_message(), "little")
            facts = self._facts(order, [link.receive_message() for _ in range(count)]) if count else []
        except IcmError:
            with suppress(FaultError):
                link.send_message(b"")
            raise
        if len(facts) != len(order.keys):
            raise self._ungathered("has nothing to take: its worker in the other lane refuses")
        address = Address(order.job, NO_PROGRAM, order.lane, 0)
        link.send_message(b"\x01")
        taken: dict[str, tuple[RingArray, Kept, Labels]] = {}
        for step, ((key, shape), (kept, labels)) in enumerate(zip(order.keys, facts, strict=True)):
            words = np.empty(shape, np.uint64)
            link.receive(Frame(address, step), (words,))
            taken[key] = words, kept, labels
        return taken

    def _facts(self, order: Gather, said: Sequence[bytes]) -> list[tuple[Kept, Labels]]:
        """What the other lane's worker says of what it sends, where that is what is asked for, and may be taken."""
        facts: list[tuple[Kept, Labels]] = []
        if len(said) != len(order.keys):
            raise self._ungathered(f"was sent something else than {len(order.keys)} shares")
        for (key, shape), payload in zip(order.keys, said, strict=True):
            if key in self._linked.kept:
                raise self._ungathered(f"keeps something under {key} already")
            name, kept, labels, guarding = decode(payload, _FACTS, "what a share is of", self.name)
            if name != key or array_shape(kept.type) != shape:
                raise self._ungathered(f"was sent something else than {key}")
            if guarding != self._guarding(labels):  # the driver may have told each lane something else
                reason = f"what guards the rows of {key} is another in lane {order.lane} than in lane {order.home}"
                raise PolicyError(f"{self.name} refuses: {reason}", party=self.name)
            facts.append((kept, labels))
        return facts

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
