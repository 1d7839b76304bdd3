"""What each party receives over its links, on the real ring, for every case of tests/protocols/cases.py.

Shown: sizes, order, count, steps and tags of all frames are the same for very different inputs; the bytes are uniform
(chi-square over byte values, 255 degrees of freedom, threshold 378: a false alarm for one tested stream in 10^6, under
10^-3 for the whole file); two runs share no message; the dealer hears nothing after the handshake.
"""

import numpy as np
import pytest

from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.transport import Transcript
from tests.protocols.cases import CASES, signed
from tests.protocols.test_against_reference import program_of
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol")
LIMIT = 378.0
"""The chi-square quantile of 255 degrees of freedom at 1 - 10^-6 is 377.4 (Wilson-Hilferty: 377.2)."""


def filled(case, how, rng):
    values = []
    for kind in case.types:
        top = 2 ** (kind.width - 1)
        if how == "zeros":
            values.append(np.zeros(kind.shape, np.uint64))
        elif how == "largest":
            values.append(np.full(kind.shape, top - 1, np.uint64))
        elif how == "least":
            values.append(np.full(kind.shape, -top, np.int64).view(np.uint64))
        else:
            values.append(case.draw(rng, kind))
    return values


def transcript_of(case, values, parties):
    transcript = Transcript()
    brought = {name: {} for name in parties}
    for index, value in enumerate(values):
        brought[parties[index % len(parties)]][f"x{index}"] = value
    with ThreadLane(parties, transcript=transcript) as lane:
        lane.run(program_of(case, parties), brought)
    return transcript


def outline(transcript, names):
    """Everything but the bytes: for every receiver and sender the frames in order."""
    found = {}
    for receiver in names:
        for sender in names:
            found[receiver, sender] = [
                (item.frame is None, item.step, item.tag, tuple((part.size, part.dtype.str) for part in item.parts))
                for item in transcript.of(receiver, sender)
            ]
    return found


def payloads(transcript, receiver, sender=None):
    """Bytes of all data frames; the messages (nonces, the start of a run) are framing."""
    return [item.payload for item in transcript.of(receiver, sender) if item.frame is not None]


def chi_square(raw):
    counts = np.bincount(np.frombuffer(raw, np.uint8), minlength=256)
    expected = len(raw) / 256
    return float(((counts - expected) ** 2).sum() / expected)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.few(60)
def test_outline_and_bytes_do_not_depend_on_inputs(case, n):
    parties, rng = NAMES[:n], np.random.default_rng(n)
    first = None
    for how in ("zeros", "largest", "least", "random"):
        transcript = transcript_of(case, filled(case, how, rng), parties)
        seen = outline(transcript, (*parties, "dealer"))
        first = first or seen
        assert seen == first, how
        for receiver in parties:
            for sender in (*(name for name in parties if name != receiver), "dealer"):
                raw = b"".join(payloads(transcript, receiver, sender))
                if len(raw) >= 2560:  # ten a cell: chi-square holds
                    assert chi_square(raw) < LIMIT, f"{how}: {receiver} from {sender}, {len(raw)} bytes"


def test_small_messages_together_are_uniform():
    """Cases whose messages are too short for a test of their own, all together, with all inputs zero.

    One receiver's alone: an opening goes to all others in copies, and copies are not independent.
    """
    pooled = b""
    for case in CASES:
        transcript = transcript_of(case, filled(case, "zeros", None), NAMES)
        raw = b"".join(payloads(transcript, "alice"))
        pooled += raw if len(raw) < 2560 else b""
    assert len(pooled) >= 2560
    assert chi_square(pooled) < LIMIT


def test_the_uniformity_test_sees_what_is_not_uniform():
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, 20000, dtype=np.uint8)
    assert chi_square(raw.tobytes()) < LIMIT
    raw[:1000] = 0
    assert chi_square(raw.tobytes()) > LIMIT


def relu_program(parties, count=600):
    builder = Builder(parties)
    x = builder.add(Input(parties[0], "x", ValueType(shape=(count,), width=40)))
    y = builder.add(Relu(Epilogue(shift=16, relu=True, width=41)), x)
    builder.add(Reveal(parties[-1], "y"), y)
    return builder.build()


@pytest.mark.parametrize("parties", [NAMES[:2], NAMES])
def test_two_runs_share_no_message(parties):
    """Same program, same inputs, same lane, and again in a lane of its own: every frame is fresh, attempts increase."""
    x = signed(np.random.default_rng(1), ValueType(shape=(600,), width=40))
    program, seen, transcripts = relu_program(parties), [], []
    for runs in (2, 1):
        transcripts.append(Transcript())
        with ThreadLane(parties, transcript=transcripts[-1]) as lane:
            outcomes = [lane.run(program, {parties[0]: {"x": x}}) for _ in range(runs)]
            attempts = [outcome[parties[0]].attempt for outcome in outcomes]
            assert attempts == sorted(set(attempts))
    for transcript in transcripts:
        for receiver in parties:
            # a mutual opening sends one frame to several peers: a copy for each receiver is one message
            seen += [(receiver, payload) for payload in payloads(transcript, receiver)]
    assert len(set(seen)) == len(seen)
    words = np.concatenate([np.frombuffer(payload[: len(payload) // 8 * 8], np.uint64) for _, payload in seen])
    by_receiver = {receiver: [] for receiver in parties}
    for receiver, payload in seen:
        by_receiver[receiver].append(np.frombuffer(payload[: len(payload) // 8 * 8], np.uint64))
    for parts in by_receiver.values():
        mine = np.concatenate(parts)
        assert np.unique(mine).size == mine.size, "a word came twice: by chance once in 10^9"
    assert words.size > 1000


@pytest.mark.parametrize("parties", [NAMES[:2], NAMES])
def test_the_dealer_hears_nothing(parties):
    """All that ever reaches the dealer are the nonces of the handshake, one from each peer, before the first run."""
    transcript = Transcript()
    with ThreadLane(parties, owners=("olga",), transcript=transcript) as lane:
        heard = transcript.of("dealer")
        for _ in range(2):
            builder = Builder(parties, owners=("olga",))
            x = builder.add(Input("olga", "x", ValueType(shape=(600,), width=40)))
            y = builder.add(Relu(Epilogue(shift=16, relu=True, width=41)), x)
            builder.add(Reveal("olga", "y"), y)
            lane.run(builder.build(), {"olga": {"x": np.zeros(600, np.uint64)}})
        assert transcript.of("dealer") == heard
    assert sorted(item.sender for item in heard) == sorted((*parties, "olga"))
    assert all(item.frame is None and len(item.payload) == 32 for item in heard)
