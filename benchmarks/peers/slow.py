"""All engines in a slow network, and the least that a peer can take there by what it was counted to send.

    seconds >= (rounds + 2 requests) rtt / 2 + bytes of the links that wait for one another / rate

A round takes one way, a request of the first party to a third one there and one back. Two parties send to each other at
the same time, so that half of their bytes count; the third one's answers come between the rounds and count in full.
Handshakes, TCP and computing come on top: the bound favours the peer.
"""

import engines
import network

WORKLOADS = ("minionn_cifar_b8", "relu_1m", "softmax_1000x64")
RTT_MS, MBIT = 40, 100
IN_FLIGHT = 1 << 20
"""Megabytes that icm-ray may hold: whole operations, for few rounds."""


def at_least(count):
    """Seconds by the formula above."""
    third = count["sent"][2] if "sent" in count else 0
    waits = count["rounds"] + 2 * count.get("requests", 0)
    return waits * RTT_MS / 2000 + ((count["bytes"] - third) / 2 + third) * 8 / (MBIT * 1e6)


def measured(folder, engine, name):
    """Seconds of one run, after one to warm up, of all its processes over TCP through the same links."""
    with network.Relay(RTT_MS, MBIT) as relay:
        if engine in engines.PEERS:
            return engines.timed(folder, engine, name, 1, relay.path)
        return engines.own_within(relay.path, name, 1)


def within_engine(name):
    """Seconds and rounds of icm-ray with the delay that its own links can put on."""
    network_of = ("--rtt-ms", str(RTT_MS), "--mbit", str(MBIT), "--in-flight", str(IN_FLIGHT))
    record = engines.own(name, 1, *network_of)
    return record["seconds"]["min"], record["rounds"]
