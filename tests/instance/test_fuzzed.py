"""What peers, guests and workers say to an instance, at random: it is read as what it is, answered or refused in typed
errors, and told nothing of files.
"""

from __future__ import annotations

from collections import Counter
from typing import get_args

import msgspec
import pytest

import icm_ray as icm
from icm_ray.errors import Desynchronised, FaultError, IcmError
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.joining import _REQUESTS, _WELCOMES, Welcome, _Request
from icm_ray.instance.messages import Call, Envelope, Ping, Pong, decode_envelope
from icm_ray.instance.offer import offer
from icm_ray.instance.roster import Peer
from icm_ray.instance.rotation import _SHOWN, _Shown
from icm_ray.instance.settings import Settings
from icm_ray.payload import decode
from icm_ray.runtime.orders.house import HouseAnswer, HouseCall, OpenHeld, decode_house_answer, decode_house_call
from tests.bad_payloads import CORPUS
from tests.drawn_values import Drawer, altered
from tests.instance.conftest import rows

READERS = {
    "envelope": (Envelope, lambda payload: decode_envelope(payload, "bob")),
    "call of a worker": (HouseCall, lambda payload: decode_house_call(payload, "bob")),
    "answer to a worker": (HouseAnswer, decode_house_answer),
    "request of a guest": (_Request, lambda payload: decode(payload, _REQUESTS, "a request", "a guest")),
    "rotations": (_Shown, lambda payload: decode(payload, _SHOWN, "rotations", "bob")),
    "welcome": (Welcome, lambda payload: decode(payload, _WELCOMES, "a welcome", "alice")),
}
SAMPLES = {icm.Policy: icm.Policy(min_rows=7), icm.Noise: icm.Noise(scale=2.0)}
MESSAGES = 20_000
"""Of each kind."""


@pytest.mark.parametrize("kind", READERS)
def test_damaged_messages_are_messages_or_one_error(kind):
    wanted, read = READERS[kind]
    drawer, seen = Drawer(11, samples=SAMPLES), Counter()
    sound = [msgspec.msgpack.encode(drawer.value(wanted)) for _ in range(200)]
    for payload in (*sound, *CORPUS.values()):
        seen[_taken(read, payload)] += 1
    assert seen["read"] >= 200
    for number in range(MESSAGES):
        seen[_taken(read, altered(drawer.random, sound[number % 200], sound[number * 7 % 200]))] += 1
    assert seen["refused"] > MESSAGES / 4


def _taken(read, payload):
    try:
        value = read(payload)
    except Desynchronised:
        return "refused"
    assert read(msgspec.msgpack.encode(value)) is not None
    return "read"


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """Alice's, which starts no workers, and knows Bob."""
    folder = tmp_path_factory.mktemp("fuzzed")
    found(folder / "alice", Settings("alice", "organisation", "127.0.0.1:0", spare_workers=0))
    file = folder / "hidden-rows.parquet"
    rows(0).to_parquet(file)
    with Instance(folder / "alice") as serving:
        offer(serving.catalogue, "visits", [str(file)], icm.Policy(min_rows=5), ("bob",))
        offer(serving.catalogue, "secrets", [str(file)], icm.Policy(min_rows=5))
        serving.roster.add(Peer("bob", b"certificate of bob", state="approved"))

        def start(*_):
            raise FaultError("there are no workers here")

        serving.halves._workers.start = start
        yield serving


WORDS = ("alice", "bob", "carol", "dealer", "driver", "visits", "secrets", "question", "prediction", "0123456789abcdef")


@pytest.mark.parametrize("kind", [Call, HouseCall], ids=["peers", "workers"])
def test_whatever_is_asked_is_answered_or_refused(instance, kind):
    drawer, seen = Drawer(5, WORDS, SAMPLES), Counter()
    answer = instance._answers.to_peer if kind is Call else instance._answers.to_worker
    for _ in range(600):
        asked = drawer.value(kind)
        try:
            said = msgspec.msgpack.encode(answer("bob", asked))
            seen["answered", type(asked).__name__] += 1
        except IcmError as error:
            said = str(error).encode()
            seen["refused", type(asked).__name__] += 1
        if not isinstance(asked, OpenHeld):  # an own worker is told where the files are
            assert b"hidden-rows" not in said
        if "secrets" not in str(asked):
            assert b"secrets" not in said
    assert len({name for _, name in seen}) >= len(get_args(kind)) / 2, seen
    assert isinstance(instance._answers.to_peer("bob", Ping()), Pong)
    assert b"hidden-rows" not in (instance._folder / "audit.jsonl").read_bytes()
