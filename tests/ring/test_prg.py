"""The generator: AES-128-CTR as the standard has it, and no two streams alike."""

import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.ring import prg
from icm_ray.ring.prg import KEY_BYTES, Key, derive_key, fresh_secret

NIST_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
ZERO_KEY_BLOCK = bytes.fromhex("0388dace60b6a392f328c2b971b2fe78")
"""AES of fifteen zeros and a two under a key of zeros: ciphertext of test case 2 of the GCM specification."""


def test_the_specification_of_gcm_has_the_first_block_of_a_stream():
    assert Key(bytes(KEY_BYTES)).words(0, 0, 16, np.uint8).tobytes() == ZERO_KEY_BLOCK


def test_blocks_count_up_from_two_in_each_chunk():
    """Block k of chunk c of stream (operation, tag) is AES of operation | tag | c | 2 + k."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    per_chunk = 1 << 14
    stream = Key(NIST_KEY).words(7, 9, 16 * (per_chunk + 6) + 4, np.uint8).tobytes()
    encryptor = Cipher(algorithms.AES(NIST_KEY), modes.ECB()).encryptor()
    for block in (0, 1, 255, 256, per_chunk - 1, per_chunk, per_chunk + 5):
        chunk, inside = divmod(block, per_chunk)
        counted = struct.pack(">IIII", 7, 9, chunk, 2 + inside)
        assert stream[16 * block : 16 * block + 16] == encryptor.update(counted)
    last = encryptor.update(struct.pack(">IIII", 7, 9, 1, 2 + 6))
    assert stream[-4:] == last[:4]


def test_no_counter_comes_round():
    """Neither the blocks of a chunk nor the chunks of a stream fill 32 bits: beyond that a stream would repeat."""
    assert prg._CHUNK // 16 + 2 < 1 << 32
    with pytest.raises(ValueError, match="a stream has at most"):
        Key(NIST_KEY).words(0, 0, (prg._CHUNK << 32) // 8 + 1)
    for operation, tag in ((1 << 32, 0), (0, 1 << 32)):
        with pytest.raises(struct.error):
            Key(NIST_KEY).words(operation, tag, 1)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 300), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=50)
def test_the_same_call_gives_the_same_words(operation, tag, count, size):
    key, dtype = Key(NIST_KEY), np.dtype(f"u{size}").type
    words = key.words(operation, tag, count, dtype)
    assert (words.size, words.dtype) == (count, np.dtype(dtype))
    np.testing.assert_array_equal(words, Key(NIST_KEY).words(operation, tag, count, dtype))
    longer = key.words(operation, tag, count + 7, dtype)
    np.testing.assert_array_equal(words, longer[:count])
    words[:] = 0  # the caller's own


@pytest.mark.parametrize(
    ("one", "other"),
    [((0, 0), (0, 1)), ((0, 1), (1, 0)), ((0, 2**32 - 1), (1, 0)), ((2**32 - 1, 0), (0, 0))],
)
def test_streams_share_no_block(one, other):
    key = Key(NIST_KEY)
    blocks = [key.words(*stream, 2 * 4096).reshape(-1, 2) for stream in (one, other)]
    assert len({tuple(block) for part in blocks for block in part.tolist()}) == 2 * 4096


@pytest.mark.parametrize(("operation", "tag"), [(2**32, 0), (0, 2**32), (-1, 0), (0, -1)])
def test_a_stream_beyond_its_field_is_refused(operation, tag):
    with pytest.raises(struct.error):
        Key(NIST_KEY).words(operation, tag, 1)


def test_other_keys_other_words():
    contexts = [
        ("a",),
        ("b",),
        ("a", "b"),
        ("ab",),
        ("a", 1),
        ("a", "1", ""),
        ("a1",),
        (b"a",),
        ("a", b"b"),
        (b"",),
        (),
    ]
    keys = [derive_key(b"secret", *context) for context in contexts]
    keys += [derive_key(b"terces", *context) for context in contexts]
    firsts = [key.words(0, 0, 2).tobytes() for key in keys]
    texts = [tuple(part if isinstance(part, bytes) else str(part).encode() for part in context) for context in contexts]
    assert len(set(firsts)) == 2 * len(set(texts))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 70)), min_size=2, max_size=8))
def test_a_key_that_was_used_gives_what_a_fresh_one_gives(streams):
    """Streams of any length, ended in the middle of a block too, leave nothing behind for the next."""
    secret = fresh_secret(KEY_BYTES)
    used = Key(secret)
    for operation, tag, count in streams:
        np.testing.assert_array_equal(
            used.words(operation, tag, count, np.uint8), Key(secret).words(operation, tag, count, np.uint8)
        )


def test_threads_share_a_key():
    key, secret = Key(NIST_KEY), NIST_KEY
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda tag: key.words(1, tag, 50_000 + tag), range(64)))
    for tag, words in enumerate(found):
        np.testing.assert_array_equal(words, Key(secret).words(1, tag, 50_000 + tag))


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_key_has_sixteen_bytes(size):
    with pytest.raises(ValueError, match="16 bytes"):
        Key(bytes(size))


def test_fresh_secrets_differ():
    assert len({fresh_secret(KEY_BYTES) for _ in range(1000)}) == 1000
