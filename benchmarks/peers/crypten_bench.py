"""CrypTen 0.4.1, two parties and its trusted third party, on the workloads: processes over gloo on loopback.

usage: python crypten_bench.py [--runs N] WORKLOAD...     prints {"workload": ..., "seconds": [...]} for each
       python crypten_bench.py --count WORKLOAD...        one untimed run: {"workload", "bytes", "rounds", "requests"}

Counting stands between CrypTen and torch.distributed in all three processes (CrypTen's own statistics see neither the
third party's answers nor which calls wait together). bytes: payload that the three send; an all_reduce of s bytes is s
from each of two parties. rounds: calls between the parties that wait for one another; calls that CrypTen batches are
one. requests: what the first party asks of the third, there and back one after another, between the rounds.

CrypTen 0.4.1 does not import on torch >= 2.9 (torch.onnx.symbolic_registry is gone): its importer of ONNX models, which
is not used here, is replaced by an empty module; nothing else is changed.
"""

import argparse
import json
import multiprocessing as mp
import os
import sys
import time
import types

import network

THIRD = 2
CNN = (
    (64, 3, 3, 3),
    (64, 64, 3, 3),
    (64, 64, 3, 3),
    (64, 64, 3, 3),
    (64, 64, 3, 3),
    (64, 64, 1, 1),
    (16, 64, 1, 1),
    (1024, 10),
)


def without_onnx():
    module = types.ModuleType("crypten.nn.onnx_converter")
    module.from_onnx = module.from_pytorch = module.from_tensorflow = None
    module.TF_AND_TF2ONNX = False
    sys.modules["crypten.nn.onnx_converter"] = module


def workloads(torch):
    edges = torch.linspace(-3, 3, 17)

    def normal(*shape):
        return torch.randn(*shape)

    def cnn(x, *weights):
        h = x.conv2d(weights[0], padding=1).relu()
        h = h.conv2d(weights[1], padding=1).relu().avg_pool2d(2)
        h = h.conv2d(weights[2], padding=1).relu()
        h = h.conv2d(weights[3], padding=1).relu().avg_pool2d(2)
        h = h.conv2d(weights[4], padding=1).relu()
        h = h.conv2d(weights[5]).relu().conv2d(weights[6]).relu()
        return h.flatten(start_dim=1) @ weights[7]

    million, hundred = 1_000_000, 100_000
    return {
        "relu_1m": (lambda x: x.relu(), [normal(million)]),
        "mul_1m": (lambda x, y: x * y, [normal(million), normal(million)]),
        "matmul_512": (lambda x, y: x @ y, [normal(512, 512), normal(512, 512)]),
        "matmul_1024": (lambda x, y: x @ y, [normal(1024, 1024), normal(1024, 1024)]),
        "mean_1m": (lambda x: x.mean(), [normal(million)]),
        "var_1m": (lambda x: x.var(), [normal(million)]),
        "max_100k": (lambda x: x.max(), [normal(hundred)]),
        "hist16_100k": (lambda x: (x.view(-1, 1).expand(-1, 17) - edges).ge(0).sum(0), [normal(hundred)]),
        "sigmoid_100k": (lambda x: x.sigmoid(), [normal(hundred)]),
        "exp_100k": (lambda x: (-x.abs()).exp(), [normal(hundred)]),
        "softmax_1000x64": (lambda x: x.softmax(-1), [normal(1000, 64)]),
        "minionn_cifar_b8": (cnn, [normal(8, 3, 32, 32)] + [0.05 * normal(*shape) for shape in CNN]),
    }


class Counted:
    """torch.distributed as CrypTen calls it, with what this process sends and waits for counted.

    tally: shared by the processes: bytes that each of them sent, then rounds and requests of the first party.
    """

    def __init__(self, dist, rank, tally):
        self.dist, self.rank, self.tally = dist, rank, tally
        self.batched = False

    def __getattr__(self, name):
        return getattr(self.dist, name)

    def add(self, place, count):
        with self.tally.get_lock():
            self.tally[place] += count

    def round(self, asynchronous):
        """A call that waits, or the first of a batch: `Waiting` ends it."""
        if self.rank == 0 and not self.batched:
            self.add(THIRD + 1, 1)
        self.batched = bool(asynchronous)

    def isend(self, tensor, dst, group=None):
        self.add(self.rank, tensor.nbytes)
        return self.dist.isend(tensor, dst=dst, group=group)

    def send(self, tensor, dst, group=None):
        self.add(self.rank, tensor.nbytes)
        self.round(False)
        return self.dist.send(tensor, dst, group=group)

    def recv(self, tensor, src=None, group=None):
        self.round(False)
        return self.dist.recv(tensor, src=src, group=group)

    def all_reduce(self, tensor, op, group=None, async_op=False):
        self.add(self.rank, tensor.nbytes)
        self.round(async_op)
        return self.wait(self.dist.all_reduce(tensor, op=op, group=group, async_op=async_op))

    def all_gather(self, tensors, tensor, group=None):
        self.add(self.rank, tensor.nbytes)
        self.round(False)
        return self.dist.all_gather(tensors, tensor, group=group)

    def broadcast(self, tensor, src, group=None, async_op=False):
        """To one receiver: between two parties, or from the third to the first."""
        if src == self.rank:
            self.add(self.rank, tensor.nbytes)
        if src == THIRD:
            self.add(THIRD + 2, self.rank == 0)
        else:
            self.round(async_op)
        return self.wait(self.dist.broadcast(tensor, src, group=group, async_op=async_op))

    def wait(self, work):
        return work and Waiting(self, work)

    def refused(self, *_, **__):
        raise SystemExit("a call that is not counted")

    reduce = gather = scatter = refused


class Waiting:
    """The handle of a call in a batch; waiting for one ends the batch."""

    def __init__(self, counted, work):
        self.counted, self.work = counted, work

    def wait(self):
        self.counted.batched = False
        return self.work.wait()


def counting(rank, tally):
    import torch.distributed
    from crypten.communicator import distributed_communicator
    from crypten.mpc.provider import ttp_provider

    distributed_communicator.dist = ttp_provider.dist = Counted(torch.distributed, rank, tally)


def timed(function, shared, runs):
    seconds = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        function(*shared)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds[1:]}


def counted(function, shared, tally):
    """The third party waits to be asked, so between two barriers of the parties it does nothing of another workload."""
    import torch.distributed as dist
    from crypten import communicator

    parties = communicator.get().main_group
    dist.barrier(group=parties)
    before = list(tally)
    dist.barrier(group=parties)
    function(*shared)
    dist.barrier(group=parties)
    *sent, rounds, requests = (after - old for after, old in zip(tally, before, strict=True))
    dist.barrier(group=parties)
    return {"bytes": sum(sent), "sent": sent, "rounds": rounds, "requests": requests}


def party(rank, options, port, tally):
    without_onnx()
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE="2",
        RENDEZVOUS="env://",
        MASTER_ADDR=network.address(0) if options.network else "127.0.0.1",
        MASTER_PORT=str(port),
        DISTRIBUTED_BACKEND="gloo",
    )
    if options.network:
        network.join(options.network, rank)
        os.environ["GLOO_SOCKET_IFNAME"] = network.DEVICE
    import torch

    torch.set_num_threads(1)
    import crypten
    from crypten.config import cfg

    cfg.mpc.provider = "TTP"
    if options.count:
        counting(rank, tally)
    if rank == THIRD:
        from crypten.mpc.provider.ttp_provider import TTPServer

        TTPServer()
        return
    crypten.init()
    torch.manual_seed(0)
    made = workloads(torch)
    for name in options.workloads or made:
        function, args = made[name]
        shared = [crypten.cryptensor(arg) for arg in args]
        found = counted(function, shared, tally) if options.count else timed(function, shared, options.runs)
        if rank == 0:
            print(json.dumps({"workload": name, **found}), flush=True)
    crypten.uninit()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--network", help="socket of the relay of a slow network to run in")
    options = parser.parse_args()
    spawn, port = mp.get_context("spawn"), 29555 + os.getpid() % 1000
    tally = spawn.Array("q", THIRD + 3)
    processes = [spawn.Process(target=party, args=(rank, options, port, tally)) for rank in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
        process.kill()


if __name__ == "__main__":
    main()
