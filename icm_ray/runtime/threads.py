"""A lane inside one process: every worker a thread, links in memory. For tests, and to try things out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.dealer.dealer import Dealer
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.party.party import Observer, Outcome, Party
from icm_ray.program.program import Program, decode_program, encode_program
from icm_ray.transport import Transcript, TransportConfig, agree, memory_links

__all__ = ["ThreadLane"]

Ring = NDArray[np.uint64]
_DEALER = "dealer"


class ThreadLane:
    """Parties, owners and a dealer as threads; closes its links at the end of the `with` block."""

    def __init__(
        self,
        parties: tuple[str, ...],
        owners: tuple[str, ...] = (),
        transcript: Transcript | None = None,
        timeout: float = 60.0,
    ) -> None:
        names = (*parties, *owners, _DEALER)
        self.parties, self.owners = parties, owners
        self._links = memory_links(names, TransportConfig(message_timeout=timeout), transcript)
        self._jobs = 0
        secrets = self._agree(names)
        mine = {name: {peer: secret for peer, secret in secrets[name].items() if peer != _DEALER} for name in names}
        self.members = {
            name: Party(name, self._links[name], self._links[name][_DEALER], mine[name], secrets[name][_DEALER])
            for name in parties
        }
        self.outsiders = {
            name: OutsideOwner(name, self._links[name], self._links[name][_DEALER], mine[name]) for name in owners
        }
        self.dealer = Dealer(dict(self._links[_DEALER]), secrets[_DEALER])

    def _agree(self, names: tuple[str, ...]) -> dict[str, dict[str, bytes]]:
        def one(name: str) -> dict[str, bytes]:
            return {peer: agree(self._links[name][peer], name < peer) for peer in sorted(self._links[name])}

        return dict(zip(names, self._together([lambda name=name: one(name) for name in names]), strict=True))

    def run(
        self,
        program: Program,
        inputs: Mapping[str, Mapping[str, Ring]] | None = None,
        partition: int = 0,
        observe: Mapping[str, Observer] | None = None,
    ) -> dict[str, Outcome]:
        """Run once; `inputs`: by owner, by name. Returns every party's outcome, and that of each outside owner."""
        self._jobs += 1
        job, payload = self._jobs, encode_program(program)
        brought, watched = inputs or {}, observe or {}

        def party(name: str) -> Outcome:
            own = self.members[name]
            return own.run(decode_program(payload), job, partition, brought.get(name), watched.get(name))

        def outsider(name: str) -> Outcome:
            results = self.outsiders[name].run(decode_program(payload), job, partition, brought.get(name, {}))
            return Outcome(results=results)

        tasks: list[Callable[[], Any]] = [lambda: self.dealer.run(decode_program(payload), job, partition)]
        tasks += [lambda name=name: party(name) for name in self.parties]
        tasks += [lambda name=name: outsider(name) for name in self.owners]
        _, *outcomes = self._together(tasks)
        return dict(zip((*self.parties, *self.owners), outcomes, strict=True))

    def counters(self, name: str, peer: str) -> int:
        """Payload bytes that `name` sent to `peer` so far."""
        return self._links[name][peer].counters.sent_bytes

    def _together(self, tasks: list[Callable[[], Any]]) -> list[Any]:
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

    def __enter__(self) -> ThreadLane:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
