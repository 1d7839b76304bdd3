"""Writes down, in every process of a Ray cluster, what passes through Ray, and the secrets that must not.

`record` is the cluster's worker_process_setup_hook, and is called by the driver. It writes to the folder that
ICM_TEST_WITNESS names, which is none of Ray's:
PID.passed, the bytes of every argument, result and stored object as Ray serialises or receives them;
PID.secrets, lines of kind and hex: keys, nonces, and the beginnings of shares and of what links carry.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["FOLDER", "record"]

FOLDER = "ICM_TEST_WITNESS"
_WORDS = 16  # bytes that are kept of an array
_MOST = 300  # arrays of a kind that a process keeps the beginning of


def record() -> None:
    """Watch this process from now on; call it before the engine is imported."""
    _watch_ray(_appending("passed"))
    _watch_engine(_appending("secrets"))


def _appending(suffix: str) -> Callable[[bytes], None]:
    path = os.path.join(os.environ[FOLDER], f"{os.getpid()}.{suffix}")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(data: bytes) -> None:
        os.write(file, data)

    return append


def _watch_ray(append: Callable[[bytes], None]) -> None:
    from ray._private.serialization import SerializationContext

    serialize, deserialize = SerializationContext.serialize, SerializationContext.deserialize_objects

    def serialized(self: Any, value: Any) -> Any:
        made = serialize(self, value)
        append((value if isinstance(value, bytes) else made.to_bytes()) + made.metadata)
        return made

    def deserialized(self: Any, objects: Any, *rest: Any, **named: Any) -> Any:
        for data, metadata, *_ in objects:
            append((b"" if data is None else bytes(data)) + bytes(metadata or b""))
        return deserialize(self, objects, *rest, **named)

    SerializationContext.serialize, SerializationContext.deserialize_objects = serialized, deserialized


def _watch_engine(append: Callable[[bytes], None]) -> None:
    from icm_ray.ring import prg

    def note(kind: str, secret: bytes) -> None:
        append(f"{kind} {secret.hex()}\n".encode())

    fresh_secret, derive_key, made = prg.fresh_secret, prg.derive_key, prg.Key.__init__

    def fresh(size: int = 32) -> bytes:
        secret = fresh_secret(size)
        note("nonce", secret)
        return secret

    def derived(secret: bytes, *context: Any) -> prg.Key:
        note("secret", secret)
        return derive_key(secret, *context)

    def key(self: prg.Key, secret: bytes) -> None:
        made(self, secret)
        note("key", secret)

    # before what follows is imported, which takes these by name
    prg.fresh_secret, prg.derive_key, prg.Key.__init__ = fresh, derived, key
    from icm_ray.transport import channel

    def agreed(size: int = 32) -> bytes:  # with the other end of a link, the driver or another
        secret = fresh_secret(size)
        note("link", secret)
        return secret

    channel.fresh_secret = agreed
    _watch_links(note)
    _watch_store(note)


def _watch_links(note: Callable[[str, bytes], None]) -> None:
    from icm_ray.transport import Identity, TcpLink

    made, send = Identity.__init__, TcpLink.send
    left = [_MOST]

    def identity(self: Identity, name: str, private: Any, certificate: bytes) -> None:
        made(self, name, private, certificate)
        note("identity", private.private_numbers().private_value.to_bytes(32, "big"))

    def sent(self: TcpLink, frame: Any, parts: Any) -> None:
        for part in parts:
            _begin(note, f"sent-{self.peer}", part, left)
        send(self, frame, parts)

    Identity.__init__, TcpLink.send = identity, sent


def _watch_store(note: Callable[[str, bytes], None]) -> None:
    from icm_ray.party.party import Party

    run = Party.run
    left = [_MOST]

    def ran(self: Party, *arguments: Any, **named: Any) -> Any:
        outcome = run(self, *arguments, **named)
        for kept in self.store.values():
            if isinstance(kept, np.ndarray):
                _begin(note, "kept", kept, left)
        return outcome

    Party.run = ran


def _begin(note: Callable[[str, bytes], None], kind: str, words: np.ndarray, left: list[int]) -> None:
    """The beginning of uniform words; what is too short, or looks like counts, tells nothing when it is found."""
    begin = np.ascontiguousarray(words).reshape(-1)[:_WORDS].tobytes()[:_WORDS]
    if left[0] and len(begin) == _WORDS and len(set(begin)) > _WORDS // 2:
        left[0] -= 1
        note(kind, begin)
