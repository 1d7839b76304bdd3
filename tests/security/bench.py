"""A bench on which the real `deal` and `run` of one operation are played with streams that the test chooses.

The dealer is the engine's `OperationDealing`, the parties' correlations are its `DealtShares`; only the key is
replaced, by one whose streams can be set, and the links by lists. Values lie along one axis, so that one run
enumerates many of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from icm_ray.dealer.dealing import OperationDealing
from icm_ray.ops.seams import Address, Frame, party_after
from icm_ray.party.correlations import DealtShares
from icm_ray.protocols.base import Context, Share
from icm_ray.protocols.table import TABLE
from icm_ray.ring.prg import derive_key

ADDRESS = Address(1, bytes(32), 0, 1)


@lru_cache(256)
def _key(party, salt):
    return derive_key(b"bench", party, salt)


@lru_cache(2048)
def _expanded(party, salt, operation, tag, count, dtype):
    """The same words are asked for by dealer and party, and in every run but for one tag."""
    return _key(party, salt).words(operation, tag, count, dtype)


class Streams:
    """In place of a `Key`: chosen words where there are such, else AES words that `salts` make different.

    still: every value sees the same word of a stream, so that runs over many values enumerate one party's words while
    all others' stay as they are. Streams of bits (tags in `bits`) then are all zeros or all ones.
    """

    def __init__(self, party: str, chosen=None, salts=None, still=False, bits=()):
        self.party, self.chosen, self.salts, self.still, self.bits = party, chosen or {}, salts or {}, still, bits

    def words(self, operation, tag, count, dtype=np.uint64):
        if tag in self.chosen:
            words = self.chosen[tag]
            assert (words.size, words.dtype) == (count, np.dtype(dtype)), f"tag {tag} wants {count} of {dtype}"
            return words.reshape(-1).copy()
        salt = self.salts.get(tag, self.salts.get(None, 0))
        if not self.still:
            return _expanded(self.party, salt, operation, tag, count, dtype).copy()
        word = _expanded(self.party, salt, operation, tag, 1, dtype)
        return np.full(count, -(word & np.uint64(1)) if tag in self.bits else word, dtype)


@dataclass
class Sent:
    """In place of the dealer's link and the party's queue of corrections."""

    corrections: dict = field(default_factory=dict)

    def send(self, frame, parts):
        assert frame.tag not in self.corrections
        self.corrections[frame.tag] = parts[0].copy()

    def take(self, operation, tag, size):
        raw = self.corrections[tag].reshape(-1).view(np.uint8)
        assert raw.size == size
        return raw.copy()


class Dealing(OperationDealing):
    """Keeps, by tag, of how many bytes words are that are dealt in fewer than memory has."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.sizes = {}

    def others_narrow(self, tag, count, size, word=np.uint64):
        self.sizes[tag] = size
        return super().others_narrow(tag, count, size, word)


@dataclass
class Played:
    """rounds: for every round {(sender, receiver): parts}. corrections: by tag, at the corrected party. sizes: by tag,
    bytes of a word, where it is none of memory's.
    """

    rounds: list
    corrections: dict
    outputs: list
    sizes: dict

    def opened(self, round_index: int, how: str, part: int = 0):
        """What all parties learn in a round of mutual openings: the sum ("+") or XOR ("^") of everyone's message."""
        messages = {sender: parts[part] for (sender, _), parts in self.rounds[round_index].items()}
        total = np.zeros_like(next(iter(messages.values())))
        for words in messages.values():
            total = total + words if how == "+" else total ^ words
        return total


def play(op, types, shares, streams, operation=0, store=None, dealer_store=None, keys=None, inputs=None) -> Played:
    """Run one operation. shares: for every party a list of its shares of the inputs; streams: for every party."""
    parties = tuple(streams)
    out, protocol, sent = op.infer(*types), TABLE[type(op)], Sent()
    corrected = parties[operation % len(parties)]
    dealer_store = {} if dealer_store is None else dealer_store
    frame, second = Frame(ADDRESS, operation), party_after(parties, corrected)
    dealing = Dealing(parties, streams, operation, corrected, lambda _: sent, frame, dealer_store)
    protocol.deal(op, list(types), dealing, out)
    running = {}
    for name in parties:
        context = Context(
            me=name, parties=parties, operation=operation,
            correlations=DealtShares(streams[name], operation, name == corrected, sent, second=name == second),
            keys=(keys or {}).get(name, {}), inputs=(inputs or {}).get(name, {}),
            store=(store or {}).get(name, {}), results={},
        )  # fmt: skip
        running[name] = protocol.run(op, list(types), [Share(words) for words in shares[name]], context, out)
    rounds, outputs = [], {}
    while len(outputs) < len(parties):
        wanted = {}
        for name in parties:
            try:
                wanted[name] = next(running[name])
            except StopIteration as stop:
                outputs[name] = stop.value.words
        assert not (wanted and outputs), "the parties are out of step"
        if wanted:
            messages = {}
            for name, exchange in wanted.items():
                for sender, into in exchange.receives.items():
                    parts = tuple(part.copy() for part in wanted[sender].sends[name])
                    messages[sender, name] = parts
                    for empty, part in zip(into, parts, strict=True):
                        empty[...] = part.reshape(empty.shape)
            rounds.append(messages)
    return Played(rounds, sent.corrections, [outputs[name] for name in parties], dealing.sizes)


def planes(bits):
    """Element bits (count, k) as the engine's planes (blocks, k, 8) of uint64, flat."""
    count, k = bits.shape
    blocks = -(-count // 512)
    padded = np.zeros((blocks * 512, k), np.uint8)
    padded[:count] = bits
    packed = np.packbits(padded.reshape(blocks, 512, k).transpose(0, 2, 1), axis=2, bitorder="little")
    return np.ascontiguousarray(packed).view(np.uint64).reshape(-1)


def element_bits(words, count, k):
    """The inverse of `planes`: (count, k)."""
    raw = np.ascontiguousarray(words).view(np.uint8).reshape(-1, k, 64)
    return np.unpackbits(raw, axis=2, bitorder="little").transpose(0, 2, 1).reshape(-1, k)[:count]


def split(values, parties, honest, seed=7):
    """Shares of `values` that are fixed for everyone but the honest party: the coalition's part of the input is
    public to it.
    """
    rng, shares = np.random.default_rng(seed), {}
    rest = values.copy()
    for name in parties:
        if name != honest:
            shares[name] = np.full(values.shape, rng.integers(0, 2**64, dtype=np.uint64))
            rest = rest - shares[name]
    shares[honest] = rest
    return shares
