"""Pairs of links of every kind; both ends live in this process."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from icm_ray.ops.seams import Address, Frame
from icm_ray.transport import Endpoint, Identity, Listener, TransportConfig, memory_links, open_link
from icm_ray.transport.stream import PlainStream
from icm_ray.transport.tcp import TcpLink

QUICK = TransportConfig(heartbeat=0.1, silence=0.5, message_timeout=5.0, connect_timeout=5.0, flush_timeout=1.0)
PROGRAM = bytes(range(32))


@pytest.fixture
def quick():
    return QUICK


@pytest.fixture
def at():
    """Frames by step, all of one address unless told otherwise."""

    def frame(step, tag=0, *, job=7, program=PROGRAM, partition=3, attempt=1):
        return Frame(Address(job, program, partition, attempt), step, tag)

    return frame


@pytest.fixture
def stack():
    """Everything entered here is closed when the test ends, last first."""
    with contextlib.ExitStack() as opened:
        yield opened


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def tcp_pair(stack):
    """Two ends of a TCP link, alice's and bob's."""

    def make(config=QUICK, *, tls=False, name="session/lane0/alice-bob/0"):
        alice, bob = Identity.create("alice"), Identity.create("bob")
        listener = stack.enter_context(Listener(bob, tls=tls, config=config))
        dialler = Endpoint("alice", "", 0, alice.certificate)
        listener.expect(name, dialler)
        one = stack.enter_context(open_link(alice, None, listener.endpoint, name, True, config, tls))
        other = stack.enter_context(open_link(bob, listener, dialler, name, False, config, tls))
        return one, other

    return make


@pytest.fixture(params=["memory", "plain", "tls"])
def pair(request, tcp_pair, stack):
    """The same for every kind of link: a test that asks for it runs on each."""

    def make(config=QUICK):
        if request.param != "memory":
            return tcp_pair(config, tls=request.param == "tls")
        links = memory_links(["alice", "bob"], config)
        return stack.enter_context(links["alice"]["bob"]), stack.enter_context(links["bob"]["alice"])

    return make


@pytest.fixture
def raw_peer(stack):
    """A link to "mallory", and the two bare sockets that mallory holds: to write into and to read from."""

    def make(config=QUICK):
        incoming, writes = socket.socketpair()
        outgoing, reads = socket.socketpair()
        stack.enter_context(writes)
        stack.enter_context(reads)
        streams = PlainStream(incoming, config.spin), PlainStream(outgoing, config.spin)
        return stack.enter_context(TcpLink("mallory", "raw", *streams, config)), writes, reads

    return make


@pytest.fixture
def engine_threads():
    """The names of the transport's threads that run now and did not when the test began."""
    before = set(threading.enumerate())

    def names():
        fresh = [thread for thread in threading.enumerate() if thread not in before]
        return sorted(thread.name for thread in fresh if thread.name.startswith("icm-"))

    return names
