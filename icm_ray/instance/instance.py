"""An instance as it serves: its listener, its conversations with peers, its workers."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import monotonic, time
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError, IcmError, InstanceError, PeerLost, PeerRefused
from icm_ray.instance.answers import Answers
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.call_rate import CallRate
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.conversation import Conversation
from icm_ray.instance.doorkeeper import CHECK, INSTANCE, USER, Doorkeeper
from icm_ray.instance.files import read_bytes, sweep, write
from icm_ray.instance.halves import Halves
from icm_ray.instance.heads import Heads
from icm_ray.instance.jobs import Jobs, Outbox
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import Answer, AskStatus, Call, Done, LookAgain, StartWorker
from icm_ray.instance.model_answers import ModelAnswers
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.one_user import OneUser
from icm_ray.instance.peers_log import PeersLog
from icm_ray.instance.pictures import PictureShelf
from icm_ray.instance.remembered import Memory
from icm_ray.instance.requests import Requests
from icm_ray.instance.results import Results
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.rotation import Rotation, Rotations, exchange, finish, successor
from icm_ray.instance.rule_check import check_rules
from icm_ray.instance.settings import WILDCARDS, read_settings
from icm_ray.instance.status import Status, Taken, status_of
from icm_ray.instance.tickets import Address
from icm_ray.instance.web.server import HttpServer
from icm_ray.instance.web.serving import http_servers
from icm_ray.runtime.orders.house import decode_house_call
from icm_ray.runtime.orders.lane_plan import Member
from icm_ray.runtime.orders.limits import ORDER_BYTES
from icm_ray.runtime.orders.messages import failed
from icm_ray.transport import Endpoint, TcpStation, TransportConfig, WatchedLink

__all__ = ["SERVING", "USERS", "Instance", "Serving"]

SERVING: Final = "serving.json"
USERS: Final = "user"
"""The folder of the key that this organisation's users show."""
_REDIAL: Final = 2.0
_LINKS: Final = 8
"""Conversations with one peer at a time: each has threads."""
_ANNOUNCE: Final = 30.0
"""Seconds between two tries to show a new key to who has not taken it."""


class Serving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an instance listens now, for its own users."""

    host: str
    port: int


class Instance:
    """Of the organisation whose folder this is, from its making to `close`.

    Errors: `InstanceError` (no instance there, its files are damaged, it cannot listen).
    """

    def __init__(self, folder: Path) -> None:
        self.settings = settings = read_settings(folder)
        finish(folder)
        check_rules(folder)
        sweep(folder)
        self.key = InstanceKey.load(settings.name, folder)
        self._folder, self._rotations = folder, Rotations(folder)
        user = InstanceKey.load("user", folder / USERS)
        self.release, self.since = version("icm-ray"), time()
        self.roster, self.audit, self.catalogue = Roster(folder), AuditLog(folder), Catalogue(folder)
        limits = settings.limits
        ledger = folder.resolve() / "ledger"
        ledger.mkdir(mode=0o700, exist_ok=True)
        usual = EngineConfig()
        config = EngineConfig(
            ledger=str(ledger),
            job_timeout=limits.job_seconds,
            partition_bytes=settings.partition_bytes,
            silence=min(usual.silence, limits.silence),
            heartbeat=min(usual.heartbeat, limits.silence / 5),
        )
        self.halves = Halves(settings, config, self._member)
        self._stopping = threading.Event()
        for shelf in (self.catalogue, ModelShelf(folder), PictureShelf(folder)):
            shelf.bind()
        self.requests, self.results = Requests(folder), Results(folder, limits.results, limits.result_bytes)
        self.requests.bind()
        log = PeersLog(self.audit, settings.name, limits.log_entries)
        outbox = Outbox(Jobs(folder), self.ask, self._stopping)
        self._answers = Answers(
            settings,
            self.key,
            self.roster,
            self.catalogue,
            log,
            self.halves,
            self.ask,
            self.release,
            self.requests,
            outbox,
            ModelAnswers(settings.name, folder, log, self.requests),
            Heads(folder),
            self.results,
            Memory(folder),
        )
        self._conversations: dict[str, list[Conversation]] = {}
        self._rates: dict[str, CallRate] = {}  # by name, as long as this serves: a new link is no new allowance
        self._changing = threading.RLock()
        self._changed = threading.Condition(self._changing)
        self._looking = threading.Lock()
        self._pages: list[HttpServer] = []
        door = Doorkeeper(
            settings,
            self.key,
            self.roster,
            self.audit,
            self.halves,
            user.certificate,
            self._enter,
            self._rotations,
            self._renew,
        )
        transport = TransportConfig(silence=limits.silence, heartbeat=limits.silence / 5)
        host, port = settings.bind
        try:
            self._station = TcpStation(self.key.identity, host, True, transport, ports=(port, port), door=door)
        except OSError as error:
            self.halves.close()
            raise InstanceError(f"{settings.name} cannot listen at {settings.listen}: {error.strerror}") from None
        self._dialling = TcpStation(self.key.identity, None, True, transport)  # keeps no list of names that were used
        found = self._station.endpoint
        write(folder / SERVING, Serving(_reached(found.host), found.port), "address")
        self.audit.add(settings.name, "serving")
        self._keeper = threading.Thread(target=self._keep, name="icm-instance", daemon=True)
        self._keeper.start()
        threading.Thread(target=outbox.keep, name="icm-outbox", daemon=True).start()
        try:
            self._pages = http_servers(self, settings, folder)
        except BaseException:
            self.close()
            raise

    @property
    def pages(self) -> tuple[int, ...]:
        """The ports of its page, and of its metrics, where the settings ask for them."""
        return tuple(server.port for server in self._pages)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._station.endpoint.port

    def _member(self) -> Member:
        """Where its own workers reach it."""
        found = self._station.endpoint
        host = self.halves.here if self.halves.here and found.host in WILDCARDS else _reached(found.host)
        return self.settings.name, host, found.port, self.key.certificate

    # --- who comes ------------------------------------------------------------------------------------------------

    def _enter(self, link: str, peer: Endpoint) -> None:
        """One who has shown its certificate, in a thread of its own."""
        with suppress(IcmError):  # it is gone before it was here
            opened = self._station.open(peer, link, False)
            if link.startswith(INSTANCE):
                self._talk(peer.name, opened, partial(self._to_peer, peer.name, peer.name))
            elif link.startswith(CHECK):
                self._talk(CHECK + peer.name, opened, partial(self._to_peer, CHECK + peer.name, peer.name))
            elif link.startswith(USER):
                user = OneUser(self._to_user)
                self._talk(USER, opened, user.answer, user.left)
            else:
                half = self.halves.found(link.split("/")[1], int(link.split("/")[2]))
                if half is None:
                    opened.close()
                    return
                asker = half.asker
                opened.set_receive_limits(0, 0)
                opened.set_message_limit(ORDER_BYTES)
                opened.start_listening(
                    lambda payload: opened.send_message(msgspec.msgpack.encode(self._to_worker(asker, payload))),
                    None,
                    lambda _: opened.close(),
                )

    def _to_peer(self, who: str, name: str, call: Call) -> Answer:
        """who: of the conversation. A worker that was started for one who has left meanwhile is ended."""
        answer = self._answers.to_peer(name, call)
        if isinstance(call, StartWorker) and not self.connected(who):
            self.halves.forsake(name)
        return answer

    def _to_user(self, call: Call) -> Answer:
        match call:
            case AskStatus():
                return self.status()
            case LookAgain():
                self.look_again()
                return Done()
        return self._answers.to_user(call)

    def status(self) -> Status:
        """How it is now. Errors: `InstanceError` where its files are damaged."""
        shown = self.settings, self.roster, self.catalogue, self.audit, self.release, self.since
        return status_of(*shown, self.halves, self.connected, self._taken)

    def _taken(self, name: str) -> Taken:
        """What a peer takes of it now."""
        with self._changing:
            rate = self._rates.get(name)
        calls, working = rate.taken if rate else (0, 0)
        answers = self._answers
        counts = answers.rate.count(name), answers.refusals.count(name), answers.logged(name)
        return Taken(calls, working, *counts)

    def _to_worker(self, asker: str, payload: bytes) -> object:
        try:
            return self._answers.to_worker(asker, decode_house_call(payload, self.settings.name))
        except Exception as error:  # noqa: BLE001 - whatever it was, the worker must hear of it
            return failed(0, error, self.settings.name)

    def _talk(
        self, who: str, link: WatchedLink, answer: Callable[[Call], Answer], left: Callable[[], None] = lambda: None
    ) -> Conversation:
        """Converse over a link. answer: what whoever is there is answered. left: called when it has ended."""

        def ended(conversation: Conversation) -> None:
            self._ended(conversation)
            left()

        limits = self.settings.limits
        with self._changing:
            rate = None if who == USER else self._rates.setdefault(who.removeprefix(CHECK), CallRate(limits.calls))
        conversation = Conversation(self.settings.name, who, link, answer, limits, ended, rate)
        with self._changing:
            held = self._conversations.setdefault(who, [])
            refused = self._stopping.is_set() or (who != USER and len(held) >= _LINKS)
            if not refused:
                held.append(conversation)
                self._changed.notify_all()
        if refused or conversation.gone:
            conversation.close()
            self._ended(conversation)
        return conversation

    def _ended(self, conversation: Conversation) -> None:
        with self._changing:
            held = self._conversations.get(conversation.peer, [])
            if conversation in held:
                held.remove(conversation)
            alone = not self._stopping.is_set() and self._living(conversation.peer) is None
        if alone and conversation.peer != USER:
            self.halves.forsake(conversation.peer)

    # --- whom it speaks with --------------------------------------------------------------------------------------

    def ask(self, name: str, call: Call, timeout: float) -> Answer:
        """Say something to a peer's instance. Errors: `InstanceError`, `FaultError`, what it refuses with."""
        return self._with(self.roster.approved(name)).call(call, timeout)

    def connected(self, name: str) -> bool:
        """Whether a conversation with a peer is open."""
        with self._changing:
            return self._living(name) is not None

    def _with(self, peer: Peer, again: bool = True) -> Conversation:
        wait = 0.0 if peer.addresses else _REDIAL + 1.0  # whoever only dials does so again and again
        with self._changing:
            self._changed.wait_for(lambda: self._living(peer.name) is not None, wait)
            if (living := self._living(peer.name)) is not None:
                return living
        if not peer.addresses:
            raise PeerLost(f"{peer.name} is not connected, and only it can dial", party=peer.name, step="ask")
        lost: FaultError | None = None
        for host, port in peer.addresses:
            try:
                endpoint = Endpoint(peer.name, host, port, peer.certificate)
                link = self._dialling.open(endpoint, INSTANCE + secrets.token_hex(16), True)
            except PeerRefused as error:
                if not again or not self._shown(peer, (host, port)):
                    lost = error
                    continue
                return self._with(self.roster.approved(peer.name), False)  # one of the two has another key now
            except FaultError as error:
                lost = error
                continue
            return self._talk(peer.name, link, partial(self._to_peer, peer.name, peer.name))
        reason = lost.message if lost is not None else "it has no address"
        raise PeerLost(f"{peer.name}'s instance cannot be reached: {reason}", party=peer.name, step="ask")

    # --- keys that are new ----------------------------------------------------------------------------------------

    @property
    def stale(self) -> bool:
        """Whether a new key is in the folder: this instance has to be closed and made anew. Errors: `InstanceError`."""
        return read_bytes(self._folder / "certificate.der") != self.key.certificate

    def _renew(self, rotations: tuple[Rotation, ...]) -> bool:
        """Pin what follows from a pinned certificate, and hang up on whoever has the old key; False for nothing."""
        taken = False
        for name in {one.name for one in rotations}:
            peer = self.roster.peers.get(name)
            if peer is None or (new := successor(name, peer.certificate, rotations)) == peer.certificate:
                continue
            if self.roster.repin(name, peer.certificate, new):
                taken = True
                self.audit.add(
                    name, "rotated", before=peer.fingerprint, fingerprint=replace(peer, certificate=new).fingerprint
                )
                self._hang_up({name})
        return taken

    def _shown(self, peer: Peer, address: Address) -> bool:
        """Show rotations to a peer that was dialled, and take its own; whether either had some."""
        mine = self._rotations.chain
        try:
            taken = self._renew(exchange(self.settings.name, mine, address))
        except FaultError:
            return False
        self._rotations.tell(peer.name)
        return taken or bool(mine)

    def _announce(self) -> None:
        """Show the last rotation to peers who have not taken it."""
        for name in self._rotations.untold(self.roster.peers):
            peer = self.roster.peers[name]
            if peer.state == "approved":
                any(self._shown(peer, address) for address in peer.addresses)

    def _living(self, name: str) -> Conversation | None:
        """A conversation with a peer that goes on. The lock is held."""
        return next((one for one in self._conversations.get(name, ()) if not one.gone), None)

    def _keep(self) -> None:
        """Whoever can only dial keeps a conversation with each peer open; those who are revoked are hung up on."""
        announced, pause = -_ANNOUNCE, 0.0  # peers may be waiting for one who starts again
        while not self._stopping.wait(pause):
            pause = _REDIAL
            with suppress(IcmError):
                self.look_again()
                self.halves.end_overdrawn()
                if monotonic() - announced >= _ANNOUNCE:
                    announced = monotonic()
                    self._announce()
                for peer in self.roster.peers.values() if self.settings.dial_only else ():
                    if peer.state == "approved" and peer.addresses:
                        with suppress(IcmError):
                            self._with(peer)

    def look_again(self) -> None:
        """Hang up on whoever is not approved any more, and end what runs for it or with it. Errors: `InstanceError`."""
        with self._looking:  # whoever is told that it was done finds it done, by whichever thread
            known = {name for name, peer in self.roster.peers.items() if peer.state == "approved"}
            with self._changing:
                here = {name.removeprefix(CHECK) for name, held in self._conversations.items() if held and name != USER}
            here |= {name for _, half in self.halves.running() for name in half.organisations}
            self._hang_up(here - known - {self.settings.name})
            with suppress(InstanceError):  # rules that cannot be read approve nothing
                self.requests.rules.bind()

    def _hang_up(self, names: Iterable[str]) -> None:
        """End conversations with peers, and workers that run for them or with them."""
        for name in names:
            with self._changing:
                held = [*self._conversations.get(name, ()), *self._conversations.get(CHECK + name, ())]
            for one in held:
                one.close()
            self.halves.end_with(name)

    def close(self) -> None:
        """End the workers and hang up. Idempotent."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        for server in self._pages:
            server.close()
        self._station.close()
        with self._changing:
            held = [one for listed in self._conversations.values() for one in listed]
        for one in held:
            one.close()
        self.halves.close()
        with suppress(IcmError):
            self.audit.add(self.settings.name, "ended")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _reached(host: str) -> str:
    """Where processes of this machine reach what listens at a host."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what is bound is the settings' business
