"""What a further thread is worth to one worker alone: a party against recorded frames, the dealer into the void.

    python benchmarks/threads.py [--threads 2] [--repeats 5] [--in-flight MIB] [workload ...]

A whole lane on one small machine says nothing: its processes share the cores. So a lane runs once inside this process
and everything that its first party receives is recorded; then that party alone plays the same run again, with one
thread and with several, on the program as it is cut for one thread and for several. Its shares must come out the same.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter

import numpy as np

from cluster.bench.minionn import weight_type
from cluster.bench.run import names, workload
from icm_ray.dealer.dealer import Dealer
from icm_ray.ops.linear import Load, Store
from icm_ray.ops.products import LoadWeight
from icm_ray.ops.seams import Counters
from icm_ray.party.party import Party
from icm_ray.program.build import Builder
from icm_ray.program.kept import Kept
from icm_ray.program.program import decode_program, encode_program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.ring.fixed import encode
from icm_ray.runtime.worker.malloc import keep_freed_memory
from icm_ray.transport import TransportConfig, memory_links

F = 16
PARTIES = ("alice", "bob")
SECRETS = {name: bytes([place]) * 32 for place, name in enumerate(("alice bob", "alice dealer", "bob dealer"))}
WORKLOADS = ("relu_1m", "hist16_100k", "matmul_1024", "minionn_cifar_b8")


class Recording:
    """A link that keeps what is received."""

    def __init__(self, link):
        self.link, self.peer, self.counters, self.got = link, link.peer, link.counters, []

    def send(self, frame, parts):
        self.link.send(frame, parts)

    def receive(self, frame, parts):
        self.link.receive(frame, parts)
        self.got.append([part.copy() for part in parts])

    def receive_any(self, frame):
        step, tag, payload = self.link.receive_any(frame)
        self.got.append((step, tag, payload.copy()))
        return step, tag, payload

    def read_ahead(self):
        return 0

    def receive_message(self, timeout=None):
        self.got.append(self.link.receive_message(timeout))
        return self.got[-1]


class Replay:
    """A link that gives back what was recorded, at once, and discards what is sent."""

    def __init__(self, peer, got=()):
        self.peer, self.counters = peer, Counters()
        self.left = iter([(*item[:2], item[2].copy()) if isinstance(item, tuple) else item for item in got])

    def send(self, frame, parts):
        pass

    def send_message(self, payload):
        pass

    def receive(self, frame, parts):
        for into, part in zip(parts, next(self.left), strict=True):
            np.copyto(into, part)

    def receive_any(self, frame):
        return next(self.left)

    def read_ahead(self):
        return 0

    def receive_message(self, timeout=None):
        return next(self.left)


class Case:
    """One workload as it is cut for `threads`: recorded, and ready to be played again."""

    def __init__(self, name, threads, in_flight):
        work = workload(name)
        self.stores = {member: {} for member in (*PARTIES, "dealer")}
        self.kept = {member: {} for member in (*PARTIES, "dealer")}
        for key, kind in work.types.items():
            words = encode(work.inputs[key], kind.f, 62 - kind.f)
            share = np.random.default_rng(1).integers(0, 1 << 64, words.shape, np.uint64)
            self.stores["alice"][key], self.stores["bob"][key] = share, words - share
            self.kept["alice"][key] = self.kept["bob"][key] = Kept(kind)
        load = Builder(PARTIES)
        for key, plain in work.weights.items():
            load.add(LoadWeight("alice", key, key, weight_type(plain.shape)))
        if work.weights:
            self.record(Stamped(load.build()), {key: encode(plain, F, 62 - F) for key, plain in work.weights.items()})
        builder = Builder(PARTIES)
        values = {key: builder.add(Load(key, kind)) for key, kind in work.types.items()}
        builder.add(Store("result"), work.build(builder, values))
        self.stamped = Stamped(builder.build(), RunSettings(in_flight, threads))
        self.stamped.plan()
        self.record(self.stamped, {})
        self.result = self.stores["alice"].pop("result")
        del self.kept["alice"]["result"]

    def record(self, stamped, inputs):
        """Run once; what the members keep stays for what follows."""
        links = memory_links((*PARTIES, "dealer"), TransportConfig(message_timeout=120.0))
        heard = {peer: Recording(link) for peer, link in links["alice"].items()}
        alice = self.party("alice", heard, 1)
        bob = self.party("bob", links["bob"], 1)
        dealer = self.dealer(links["dealer"], 1)
        received = [Stamped(decode_program(encode_program(stamped.program)), stamped.settings) for _ in range(2)]
        with ThreadPoolExecutor(3) as pool:
            running = [pool.submit(dealer.run, received[0], 1, 0)]
            running += [pool.submit(bob.run, received[1], 1, 0)]
            running += [pool.submit(alice.run, stamped, 1, 0, inputs)]
            for one in running:
                one.result()
        self.stores |= {"alice": alice.store, "bob": bob.store, "dealer": dealer._store}
        self.kept |= {"alice": alice.kept, "bob": bob.kept, "dealer": dealer.kept}
        self.heard = {peer: link.got for peer, link in heard.items()}

    def party(self, me, links, threads):
        other = next(name for name in PARTIES if name != me)
        secrets = {other: SECRETS["alice bob"]}
        party = Party(me, {other: links[other]}, links["dealer"], secrets, SECRETS[f"{me} dealer"], threads=threads)
        party.store, party.kept = dict(self.stores[me]), dict(self.kept[me])
        return party

    def dealer(self, links, threads):
        secrets = {name: SECRETS[f"{name} dealer"] for name in PARTIES}
        dealer = Dealer({name: links[name] for name in PARTIES}, secrets, threads=threads)
        dealer._store, dealer.kept = dict(self.stores["dealer"]), dict(self.kept["dealer"])
        return dealer

    def time(self, member, threads):
        """Seconds of one run of the member alone."""
        if member == "dealer":
            dealer = self.dealer({name: Replay(name) for name in PARTIES}, threads)
            started = perf_counter()
            dealer.run(self.stamped, 1, 0)
            return perf_counter() - started
        alice = self.party("alice", {peer: Replay(peer, got) for peer, got in self.heard.items()}, threads)
        started = perf_counter()
        alice.run(self.stamped, 1, 0)
        seconds = perf_counter() - started
        assert np.array_equal(alice.store["result"], self.result)
        return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workloads", nargs="*", help=", ".join(names()))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=0, help="MiB of a worker, as `icm bench --in-flight` has it")
    asked = parser.parse_args()
    keep_freed_memory()
    print(f"milliseconds, least (median) of {asked.repeats} turns; gain: of {asked.threads} threads, each as it is cut")
    print(f"{'workload':18s}{'member':8s}{'one thread':>18s}{'one, cut':>18s}{asked.threads:>10d} threads{'gain':>7s}")
    for name in asked.workloads or WORKLOADS:
        one, several = (Case(name, threads, asked.in_flight << 20) for threads in (1, asked.threads))
        for member in ("party", "dealer"):
            ways = [(one, 1), (several, 1), (several, asked.threads)]
            times = [[] for _ in ways]
            for turn in range(asked.repeats + 1):
                for (case, threads), found in zip(ways, times, strict=True):
                    seconds = case.time(member, threads)
                    if turn:
                        found.append(1e3 * seconds)
            cells = "".join(f"{min(found):9.1f} ({median(found):6.1f})" for found in times)
            print(f"{name:18s}{member:8s}{cells} {min(times[0]) / min(times[2]):6.2f}", flush=True)


if __name__ == "__main__":
    main()
