"""CrypTen 0.4.1, two parties and its trusted third party, on the workloads: processes over gloo on loopback.

usage: python crypten_bench.py [--runs N] WORKLOAD...     prints {"workload": ..., "seconds": [...]} for each
       python crypten_bench.py --count WORKLOAD...        one untimed run: {"workload", "bytes", "rounds", "requests"}

For networks there is "error" besides: the largest difference to float64. What is counted, and how, is said in
traffic.py.

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
import traffic
from crypten_networks import NETWORKS, network_workloads

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
        **network_workloads(torch),
    }


class Kept:
    """A function, and what it returned last."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *shared):
        self.out = self.function(*shared)


def error_of(name, found):
    """The largest difference of what was opened to the plain result."""
    plain = NETWORKS[name].plain(NETWORKS[name].inputs().astype("float64"))
    return float(abs(found.double().numpy() - plain).max())


def timed(function, shared, runs):
    seconds = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        function(*shared)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds[1:]}


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
        traffic.counting(rank, tally)
    if rank == traffic.THIRD:
        from crypten.mpc.provider.ttp_provider import TTPServer

        TTPServer()
        return
    crypten.init()
    torch.manual_seed(0)
    made = workloads(torch)
    for name in options.workloads or made:
        function, args = made[name]
        shared = [crypten.cryptensor(arg) for arg in args]
        kept = Kept(function)
        found = traffic.counted(kept, shared, tally) if options.count else timed(kept, shared, options.runs)
        if name in NETWORKS:
            found["error"] = error_of(name, kept.out.get_plain_text())
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
    tally = spawn.Array("q", traffic.PLACES)
    processes = [spawn.Process(target=party, args=(rank, options, port, tally)) for rank in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
        process.kill()


if __name__ == "__main__":
    main()
