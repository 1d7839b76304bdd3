"""What must not show: content of shares and keys in reprs, texts, truth values, pickles."""

import copy
import operator
import pickle

import numpy as np
import pytest

from icm_ray.protocols.base import Share
from icm_ray.ring.prg import derive_key

SECRET = 0xDEADBEEFCAFE


def test_a_share_shows_its_shape_alone():
    share = Share(np.full((3, 2), SECRET, np.uint64))
    for text in (repr(share), str(share), f"{share}", f"{[share]}"):
        assert "(3, 2)" in text
        assert str(SECRET) not in text
        assert f"{SECRET:x}" not in text


@pytest.mark.parametrize(
    "use", [bool, float, int, len, iter, operator.index, hash, lambda s: s[0], lambda s: s == 1, lambda s: s < 1]
)
def test_a_share_is_no_number(use):
    with pytest.raises(TypeError):
        use(Share(np.full(1, SECRET, np.uint64)))


@pytest.mark.parametrize(
    "secret", [Share(np.full(1, SECRET, np.uint64)), derive_key(b"secret", "x")], ids=["share", "key"]
)
@pytest.mark.parametrize("leave", [*(lambda s, p=p: pickle.dumps(s, p) for p in range(6)), copy.copy, copy.deepcopy])
def test_secrets_do_not_leave_their_process(secret, leave):
    with pytest.raises(TypeError):
        leave(secret)


def test_a_key_shows_nothing():
    key = derive_key(b"secret", "x")
    for text in (repr(key), str(key), f"{key}"):
        assert text == "Key(hidden)"
    assert not hasattr(key, "__dict__")
