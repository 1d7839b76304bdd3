"""A slow network between processes of one machine: real TCP over links of which each has its own delay and rate.

Every process that joins moves into a network namespace of its own, whose only way out is a TUN device. `Relay` holds
the other ends: a packet from a to b is put on the link when the one before it has left, and arrives `delay` later.

    leaves   t_k = max(now, t_{k-1}) + bits_k / rate          arrives   t_k + delay

Both directions of each pair are links of their own; a packet is dropped where 64 MB are on their way over its link
already, more than TCP's windows let there be, or where its receiver has not joined or has gone. Frames are jumbo (9000
bytes), so that the relay costs little of the processors that it shares with those it serves. Links with OBSERVER, who
only tells the others what to do, are not slowed. Needs root and /dev/net/tun: `available()` says what is missing.

usage: python network.py SOCKET NUMBER COMMAND...      runs a command inside, as that member
"""

import ctypes
import fcntl
import heapq
import multiprocessing as mp
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OBSERVER = 200
MTU = 9000
DEVICE = "tun0"  # its name inside every namespace
QUEUE = 64 << 20  # bytes on their way over one link; TCP's windows stay far below
CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x40000000, 0x400454CA, 0x0001, 0x1000


def address(member):
    return f"10.77.0.{member + 1}"


def available():
    """Why there can be no slow network here; empty where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not Path("/dev/net/tun").exists():
        return "the kernel has no /dev/net/tun"
    child = mp.get_context("fork").Process(target=_tun, args=(0,))
    child.start()
    child.join(20)
    return "" if child.exitcode == 0 else "a network namespace with a TUN device could not be made"


def _tun(member):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    for words in (
        "link set lo up",
        f"addr add {address(member)}/24 dev {DEVICE}",
        f"link set {DEVICE} mtu {MTU} txqueuelen 10000 up",
    ):
        subprocess.run(["ip", *words.split()], check=True, timeout=20)  # noqa: S607 - of whichever folder it is in
    return tun


def join(path, member):
    """Move this process (its only thread) into the network behind the relay's socket."""
    tun = _tun(member)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as relay:
        relay.connect(path)
        socket.send_fds(relay, [bytes([member])], [tun])
        relay.recv(1)
    os.close(tun)


class Relay:
    """The links, while the `with` block runs, in a process of their own. path: the socket that members join at."""

    def __init__(self, rtt_ms, mbit):
        self.delay, self.rate = rtt_ms / 2000, mbit * 1e6 / 8
        self.folder = tempfile.TemporaryDirectory(prefix="slow-network-")
        self.path = str(Path(self.folder.name) / "relay")

    def __enter__(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        listener.listen()
        self.process = mp.get_context("fork").Process(target=self.serve, args=(listener,), daemon=True)
        self.process.start()
        listener.close()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()
        self.folder.cleanup()

    def serve(self, listener):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever the process that it was forked from has made of it
        tuns, free, queued, way = {}, {}, {}, []
        order = 0
        while True:
            wait = max(way[0][0] - time.monotonic(), 0) if way else None
            ready, _, _ = select.select([listener, *tuns.values()], [], [], wait)
            for source in ready:
                if source is listener:
                    member, tun = self.welcome(listener)
                    tuns[member] = tun
                    continue
                for _ in range(16):  # a burst, then what is due
                    try:
                        packet = os.read(source, MTU)
                    except BlockingIOError:
                        break
                    link = packet[15], packet[19]  # last bytes of IPv4's source and destination
                    if packet[0] >> 4 != 4 or link[1] - 1 not in tuns or queued.get(link, 0) > QUEUE:
                        continue
                    due = now = time.monotonic()
                    if OBSERVER + 1 not in link:
                        free[link] = max(now, free.get(link, 0.0)) + len(packet) / self.rate
                        due = free[link] + self.delay
                    queued[link] = queued.get(link, 0) + len(packet)
                    heapq.heappush(way, (due, order, link, packet))
                    order += 1
            while way and way[0][0] <= time.monotonic():
                _, _, link, packet = heapq.heappop(way)
                queued[link] -= len(packet)
                try:
                    os.write(tuns[link[1] - 1], packet)
                except OSError:
                    continue  # the member has gone

    @staticmethod
    def welcome(listener):
        peer, _ = listener.accept()
        with peer:
            said, (tun,), _, _ = socket.recv_fds(peer, 1, 1)
            os.set_blocking(tun, False)
            peer.send(b"!")
        return said[0], tun


if __name__ == "__main__":
    join(sys.argv[1], int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606 - the command of whoever started this
