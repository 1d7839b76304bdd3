"""Whether logs are still those whose heads were shown: the own one, peers', and the own one as peers have seen it.

    h_n = SHA-256(h_{n-1} || d_n),  d_n = SHA-256 of entry n (which has random letters, so that d_n tells nothing of it)

A peer that has shown h_m sends d_{m+1}, ..., d_n and h_n, signed: whoever has h_m computes h_n from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec

from icm_ray.errors import IcmError, InstanceError
from icm_ray.instance.audit import AuditLog, Head, chained
from icm_ray.instance.finding import Finding, failed, ok, skipped, unread, warning
from icm_ray.instance.heads import MOST_KEPT, Heads, Kept, SignedHead
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.rotation import Rotations

__all__ = ["DIGESTS", "AskLog", "LogPart", "verify"]

DIGESTS: Final = 1 << 10
"""Entries whose digests are in one answer."""
_PARTS: Final = 1 << 10
"""Answers that are asked for at a time."""
_DIGEST: Final = 32


class AskLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Show the chain of entries that follows a head of the callee's log."""

    head: Head


class LogPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """digests: of the entries that follow, 32 bytes each, `DIGESTS` at most. found: whether the log has the head that
    they would follow. shown: where the log is now. kept: what the callee has kept of the caller's.
    """

    digests: Annotated[bytes, msgspec.Meta(max_length=_DIGEST * DIGESTS)]
    found: bool
    shown: SignedHead
    kept: Annotated[tuple[Kept, ...], msgspec.Meta(max_length=MOST_KEPT)] = ()


Ask = Callable[[str, AskLog], object]


class _Heard(NamedTuple):
    """said: what is wrong; "" where a chain leads to `shown`. kept: of the own log, by the peer."""

    said: str
    shown: SignedHead | None
    kept: tuple[Kept, ...]


def verify(me: str, folder: Path, ask: Ask) -> Iterator[Finding]:
    """Examine the own log, then for each peer its log and what it holds of the own one. ask: says something to a peer's
    instance. Errors: `InstanceError` of damaged files, other than the log.
    """
    log, heads = AuditLog(folder), Heads(folder)
    try:
        hashes = log.hashes()
    except InstanceError as error:
        yield unread("own log", error, "it was changed after it was written: compare with a backup")
        return
    began = log.first()
    first = began.time[:19].replace("T", " ") if began is not None else "nothing yet"
    yield ok("own log", f"{len(hashes) - 1} entries, the chain holds from the first one on ({first})")
    own = _own_certificates(me, folder)
    for peer in Roster(folder).peers.values():
        kept = heads.of(peer.name)
        last = f"last head: {_in_words(kept[-1].shown.head)}" if kept else "it has shown no head yet"
        if peer.state != "approved":
            yield skipped(f"{peer.name}'s log", f"{last}; it is {peer.state}, and not asked")
            continue
        try:
            heard = _heard(peer, kept, ask)
        except IcmError as error:
            yield warning(f"{peer.name}'s log", f"{last}; {error.message}", f"icm check {peer.name}")
            continue
        yield _settled(peer, heard, heads, last)
        yield _judged(peer.name, me, own, hashes, heard.kept)


def _heard(peer: Peer, kept: tuple[Kept, ...], ask: Ask) -> _Heard:
    """Follow a peer's chain from the first head that it has shown through all others."""
    marks = {one.shown.head.entries: one.shown.head for one in kept}
    if len(marks) < len({one.shown.head for one in kept}):
        return _Heard("it has shown two logs of one length, both signed", None, ())
    at = kept[0].shown.head if kept else Head()
    at = min((one.shown.head for one in kept), key=lambda head: head.entries, default=at)
    seen: tuple[Kept, ...] = ()
    for _ in range(_PARTS):
        part = ask(peer.name, AskLog(at))
        if not isinstance(part, LogPart) or not part.shown.is_by(peer.name, peer.certificate):
            return _Heard("what it shows of its log is not signed by the key that is pinned", None, ())
        seen = part.kept
        if not part.found:
            return _Heard(f"its log does not contain {_in_words(at)} any more, which it has signed", None, seen)
        target = part.shown.head
        for place in range(0, len(part.digests), _DIGEST):
            at = Head(at.entries + 1, chained(at.hash, part.digests[place : place + _DIGEST]))
            if at.entries in marks and marks[at.entries] != at:
                return _Heard(f"its log is another than up to {_in_words(marks[at.entries])}", None, seen)
            if at == target:
                break
        if at == target:
            ahead = [head for head in marks.values() if head.entries > at.entries]
            said = f"it ends before {_in_words(ahead[0])}, which it has signed" if ahead else ""
            return _Heard(said, part.shown, seen)
        if not part.digests or at.entries >= target.entries:
            return _Heard(f"no chain of entries leads to {_in_words(target)}, where it says to be", None, seen)
    return _Heard(f"its log has more than {_PARTS * DIGESTS} entries since", None, seen)


def _settled(peer: Peer, heard: _Heard, heads: Heads, last: str) -> Finding:
    if heard.said or heard.shown is None:
        remedy = f"ask {peer.name} about it: a backup that was put back? Then: icm audit verify --forget {peer.name}"
        return failed(f"{peer.name}'s log", heard.said, remedy)
    heads.settle(peer.name, heard.shown, peer.certificate)
    return ok(f"{peer.name}'s log", f"{last}; a chain of entries leads on to {_in_words(heard.shown.head)}")


def _judged(name: str, me: str, own: set[bytes], hashes: list[str], kept: tuple[Kept, ...]) -> Finding:
    """What a peer holds of the own log. hashes: of that, after so many entries."""
    what = f"own log, as {name} has seen it"
    by_own_keys = [one for one in kept if _digest(one.certificate) in own]
    mine = [one.shown for one in by_own_keys if one.shown.is_by(me, one.certificate)]
    if len(mine) < len(kept):
        return warning(what, f"{name} holds a head that no key of this folder has signed", f"ask {name} where it is of")
    for shown in mine:
        head = shown.head
        if head.entries >= len(hashes) or hashes[head.entries] != head.hash:
            remedy = "entries that others have seen are gone here: was a backup put back? uses of approvals may be, too"
            return failed(what, f"{name} holds {_in_words(head)}, signed, which the own log does not contain", remedy)
    if not mine:
        return ok(what, f"{name} holds no head of it yet")
    return ok(what, f"{name} holds {_in_words(mine[-1].head)}, which it contains")


def _own_certificates(me: str, folder: Path) -> set[bytes]:
    """Digests of that of the own key, and of those that it came after."""
    current = _digest(InstanceKey.load(me, folder).certificate)
    return {current, *(one.before for one in Rotations(folder).chain)}


def _digest(certificate: bytes) -> bytes:
    return hashlib.sha256(certificate).digest()


def _in_words(head: Head) -> str:
    return f"entry {head.entries} ({head.hash[:12]}...)"
