"""One lane of parties, owners and a dealer as threads over links in memory: runs programs without worker or driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import SessionError, StockMismatch
from icm_ray.names import DEALER
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.party.party import Observer, Party, RunResult
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.stock import DealerStock, PartyStock
from icm_ray.profile import Clock
from icm_ray.program.program import Program, decode_program, encode_program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.ring.array import RingArray
from icm_ray.transport import Transcript, TransportConfig, derive_pair_secret, memory_links

_DEFAULTS: Final = RunSettings()


class ThreadLane:
    """Parties, owners and a dealer as threads; closes its links at the end of the `with` block.

    stock: where prepared randomness is kept, and the lane's number there; None for temporary directories. threads: that
    each party and the dealer keep at work.
    """

    def __init__(
        self,
        parties: tuple[str, ...],
        owners: tuple[str, ...] = (),
        transcript: Transcript | None = None,
        timeout: float = 60.0,
        stock: tuple[Path, int] | None = None,
        threads: int = 1,
    ) -> None:
        names = (*parties, *owners, DEALER)
        self.parties, self.owners = parties, owners
        self._links = memory_links(names, TransportConfig(message_timeout=timeout), transcript)
        self._jobs = 0
        secrets = self._agree(names)
        mine = {name: {peer: secret for peer, secret in secrets[name].items() if peer != DEALER} for name in names}
        self.members = {
            name: Party(
                name, self._links[name], self._links[name][DEALER], mine[name], secrets[name][DEALER], None, threads
            )
            for name in parties
        }
        self.outsiders = {
            name: OutsideOwner(name, self._links[name], self._links[name][DEALER], mine[name]) for name in owners
        }
        self.dealer = Dealer(dict(self._links[DEALER]), secrets[DEALER], threads=threads)
        if stock is not None:
            self._open_stock(lambda name: Directory.at(*stock, name))

    def _open_stock(self, directory: Callable[[str], Directory]) -> None:
        found: dict[str, Directory] = {}
        try:
            for name in (*self.parties, DEALER):
                found[name] = directory(name)
        except SessionError:
            for locked in found.values():
                locked.close()
            raise
        self.dealer.stock = DealerStock(found[DEALER], DEALER)
        for name, member in self.members.items():
            member.stock = PartyStock(found[name], name)

    def preprocess(self, program: Program, count: int, settings: RunSettings = _DEFAULTS) -> None:
        """Deal the randomness of `count` runs of a program ahead of time."""
        if self.dealer.stock is None:
            self._open_stock(lambda _: Directory.private())
        self._jobs += 1
        job, payload = self._jobs, encode_program(program)
        members: tuple[Dealer | Party, ...] = (self.dealer, *self.members.values())

        def one(member: Dealer | Party) -> Batch:
            return member.preprocess(Stamped(decode_program(payload), settings), job, count)

        batches = self._in_parallel([partial(one, member) for member in members])
        for stock, batch in zip(self._stocks(), batches, strict=True):
            stock.add(batch)

    def _give_up(self, program: bytes) -> None:
        for stock in self._stocks():
            stock.give_up(program)

    def _stocks(self) -> list[DealerStock | PartyStock]:
        found = [self.dealer.stock, *(member.stock for member in self.members.values())]
        return [stock for stock in found if stock is not None]

    def _agree(self, names: tuple[str, ...]) -> dict[str, dict[str, bytes]]:
        def one(name: str) -> dict[str, bytes]:
            return {
                peer: derive_pair_secret(self._links[name][peer], name < peer) for peer in sorted(self._links[name])
            }

        return dict(zip(names, self._in_parallel([partial(one, name) for name in names]), strict=True))

    def run(
        self,
        program: Program,
        inputs: Mapping[str, Mapping[str, RingArray]] | None = None,
        partition: int = 0,
        observe: Mapping[str, Observer] | None = None,
        clocks: Mapping[str, Clock] | None = None,
        settings: RunSettings = _DEFAULTS,
    ) -> dict[str, RunResult]:
        """Run once; `inputs`: by owner, by name. Returns every party's outcome, and that of each outside owner.

        clocks: by member (the dealer's name is "dealer"), what measures what that member spends its time on. settings:
        stamped on the program by every member.
        """
        self._jobs += 1
        job, payload = self._jobs, encode_program(program)
        brought, watched = inputs or {}, observe or {}

        def received() -> Stamped:
            return Stamped(decode_program(payload), settings)

        def timed(name: str) -> AbstractContextManager[None]:
            return clocks[name].running() if clocks is not None else nullcontext()

        def party(name: str) -> RunResult:
            own, stamped = self.members[name], received()
            with timed(name):
                return own.run(stamped, job, partition, brought.get(name), watched.get(name))

        def outsider(name: str) -> RunResult:
            own, stamped = self.outsiders[name], received()
            with timed(name):
                return RunResult(results=own.run(stamped, job, partition, brought.get(name, {})))

        def dealer() -> int:
            stamped = received()
            with timed(DEALER):
                return self.dealer.run(stamped, job, partition)

        tasks: list[Callable[[], Any]] = [dealer]
        tasks += [partial(party, name) for name in self.parties]
        tasks += [partial(outsider, name) for name in program.owners]
        try:
            _, *outcomes = self._in_parallel(tasks)
        except StockMismatch:
            self._give_up(Stamped(program, settings).digest)
            raise
        finally:
            for member in self.members.values():
                member.settle()
        return dict(zip((*self.parties, *program.owners), outcomes, strict=True))

    def counters(self, name: str, peer: str) -> int:
        """Payload bytes that `name` sent to `peer` so far."""
        return self._links[name][peer].counters.sent_bytes

    def _in_parallel(self, tasks: list[Callable[[], Any]]) -> list[Any]:
        with ThreadPoolExecutor(len(tasks)) as pool:
            futures = [pool.submit(task) for task in tasks]
            wait(futures, return_when="FIRST_EXCEPTION")
            failed = next((future.exception() for future in futures if future.done() and future.exception()), None)
            if failed is not None:
                self.close()  # whoever still waits is woken
                raise failed
            return [future.result() for future in futures]

    def close(self) -> None:
        for links in self._links.values():
            for link in links.values():
                link.close()
        for stock in self._stocks():
            stock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
