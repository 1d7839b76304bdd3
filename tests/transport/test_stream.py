"""A reader that was kept from looking takes what came meanwhile, though its time is over."""

import socket

import pytest

from icm_ray.transport.stream import PlainStream


class Late:
    """A socket whose first wait ends in vain, as after a long call into C: what came is found by a second look."""

    def __init__(self, sock, vain):
        self._sock, self._vain = sock, [vain]

    def recv_into(self, view):
        if self._vain:
            raise self._vain.pop()
        return self._sock.recv_into(view)

    def __getattr__(self, name):
        return getattr(self._sock, name)


def stream_of(sock):
    return PlainStream(Late(sock, BlockingIOError()), 0.0)


def test_what_came_before_anybody_looked_again_is_no_silence():
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"word")
        view = memoryview(bytearray(8))
        assert stream_of(here).receive_into(view, 0.05) == 4
        assert bytes(view[:4]) == b"word"


def test_an_end_that_came_meanwhile_is_an_end():
    here, there = socket.socketpair()
    with here, there:
        there.close()
        assert stream_of(here).receive_into(memoryview(bytearray(8)), 0.05) == 0


def test_nothing_is_a_timeout():
    here, there = socket.socketpair()
    with here, there, pytest.raises(TimeoutError):
        stream_of(here).receive_into(memoryview(bytearray(8)), 0.05)
