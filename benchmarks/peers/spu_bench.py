"""SecretFlow SPU 0.9.5, semi2k with two parties, on the workloads: parties as processes over loopback TCP.

usage: python spu_bench.py [--runs N] WORKLOAD...     prints {"workload": ..., "seconds": [...]} for each
       python spu_bench.py --count WORKLOAD...        one untimed run: {"workload": ..., "bytes": ..., "rounds": ...}

For networks there is "error" besides: the largest difference to float64.

Shares are made before the clock starts and outputs stay shares; SPU's trusted first party deals inside the clock.
bytes: what both parties send, as SPU's own profile of its link says. rounds: the first party's "send actions" there,
each of which waits for the other party's before the next.
"""

import argparse
import json
import multiprocessing as mp
import re
import socket
import tempfile
import time
from pathlib import Path

import network
import numpy as np
from spu_networks import NETWORKS, network_workloads

DETAILS = re.compile(r"Link details: total send bytes (\d+), recv bytes (\d+), send actions (\d+), recv actions (\d+)")
CNN = (
    (3, 3, 3, 64),
    (3, 3, 64, 64),
    (3, 3, 64, 64),
    (3, 3, 64, 64),
    (3, 3, 64, 64),
    (1, 1, 64, 64),
    (1, 1, 64, 16),
    (1024, 10),
)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def join_inputs(rng):
    """60,000 rows of keys that 40,000 others have, each once, for two thirds of them."""
    keys = 1 + rng.choice(2**30 - 1, 60_000, replace=False)
    left, right = rng.choice(keys, 60_000), keys[:40_000]
    values = [rng.integers(0, 1000, size) for size in (60_000, 40_000)]
    return [column.astype(np.int32) for column in (left, values[0], right, values[1])]


def workloads():
    import jax
    import jax.numpy as jnp
    from spu.ops.groupby import groupby, groupby_count, groupby_sum

    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    edges = np.linspace(-3, 3, 17).astype(np.float32)

    def histogram(x):
        counts = jnp.sum((x[:, None] >= edges[None, :]).astype(jnp.int32), axis=0)
        return counts[:-1] - counts[1:]

    def groups(keys, values):
        hot = (keys[:, None] == jnp.arange(16)[None, :]).astype(jnp.int32)
        return jnp.sum(hot * values[:, None], axis=0), jnp.sum(hot, axis=0)

    def grouped(keys, values):
        key, value, _, ends = groupby([keys], [values])
        return key[0], groupby_sum(value, ends), groupby_count(value, ends), ends

    def joined(left, left_values, right, right_values):
        """The construction of cluster/bench/tables.py, in SPU's own sort, sums and comparison: it has no join."""
        right, right_values = jax.lax.sort([right, right_values], num_keys=1, is_stable=False)

        def steps(column):
            return column - jnp.concatenate([jnp.zeros(1, jnp.int32), column[:-1]])

        def beside(mine, others):
            return jnp.concatenate([mine, jnp.zeros(others, jnp.int32)])

        def after(others, mine):
            return jnp.concatenate([jnp.zeros(others, jnp.int32), mine])

        rights, lefts = right.size, left.size
        order = jnp.concatenate([2 * right, 2 * left + 1])
        columns = [
            order,
            after(rights, jnp.ones(lefts, jnp.int32)),
            after(rights, left_values),
            beside(steps(right), lefts),
            beside(steps(right_values), lefts),
        ]
        order, is_left, value, keys, values = jax.lax.sort(columns, num_keys=1, is_stable=False)
        latest, met = (jax.lax.associative_scan(jnp.add, column) for column in (keys, values))
        match = is_left * (order - is_left == 2 * latest).astype(jnp.int32)
        return match * latest, match * value, match * met

    def cnn(x, *weights):
        numbers = ("NHWC", "HWIO", "NHWC")

        def layer(h, weight):
            return jnp.maximum(jax.lax.conv_general_dilated(h, weight, (1, 1), "SAME", dimension_numbers=numbers), 0)

        def pool(h):
            return jax.lax.reduce_window(h, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") * 0.25

        h = pool(layer(layer(x, weights[0]), weights[1]))
        h = pool(layer(layer(h, weights[2]), weights[3]))
        h = layer(layer(layer(h, weights[4]), weights[5]), weights[6])
        return h.reshape(h.shape[0], -1) @ weights[7]

    million, hundred = 1_000_000, 100_000
    keys = rng.integers(0, 16, hundred).astype(np.int32)
    others = np.random.default_rng(1)
    many = others.choice(2**30, 10_000, replace=False).astype(np.int32)
    return {
        "relu_1m": (lambda x: jnp.maximum(x, 0), [normal(million)]),
        "mul_1m": (lambda x, y: x * y, [normal(million), normal(million)]),
        "matmul_512": (lambda x, y: x @ y, [normal(512, 512), normal(512, 512)]),
        "matmul_1024": (lambda x, y: x @ y, [normal(1024, 1024), normal(1024, 1024)]),
        "mean_1m": (jnp.mean, [normal(million)]),
        "var_1m": (jnp.var, [normal(million)]),
        "max_100k": (jnp.max, [normal(hundred)]),
        "hist16_100k": (histogram, [normal(hundred)]),
        "groupby16_100k": (groups, [keys, rng.integers(0, 1000, hundred).astype(np.int32)]),
        "sort_100k": (jnp.sort, [normal(hundred)]),
        "groupby_100k": (grouped, [others.choice(many, hundred), others.integers(0, 1000, hundred).astype(np.int32)]),
        "join_100k": (joined, join_inputs(others)),
        "sigmoid_100k": (jax.nn.sigmoid, [normal(hundred)]),
        "exp_100k": (lambda x: jnp.exp(-jnp.abs(x)), [normal(hundred)]),
        "gelu_100k": (jax.nn.gelu, [normal(hundred)]),
        "softmax_1000x64": (lambda x: jax.nn.softmax(x, axis=-1), [normal(1000, 64)]),
        "minionn_cifar_b8": (
            cnn,
            [normal(8, 32, 32, 3)] + [(0.05 * normal(*shape)).astype(np.float32) for shape in CNN],
        ),
        **network_workloads(),
    }


def timed(ready, compiled, runs):
    """The record, and the runtime of the last run."""
    seconds = []
    for _ in range(runs + 1):
        runtime = ready()
        began = time.perf_counter()
        runtime.run(compiled)
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds[1:]}, runtime


def profiled(lib, log):
    """Send SPU's log to a file: there alone it says what went over its link."""
    options = lib.logging.LogOptions()
    options.enable_console_logger, options.system_log_path = False, str(log)
    options.log_level = lib.logging.LogLevel.INFO
    lib.logging.setup_logging(options)


def counted(ready, compiled, log):
    """The record, and the runtime of the run."""
    runtime = ready()
    runtime.run(compiled)
    sent, received, sends, _ = map(int, DETAILS.findall(log.read_text())[-1])
    return {"bytes": sent + received, "rounds": sends}, runtime


def error_of(name, api, config, shares):
    """The largest difference of what the shares stand for to the plain result."""
    plain = NETWORKS[name].plain(NETWORKS[name].inputs().astype(np.float64))
    return float(np.abs(api.Io(2, config).reconstruct(shares) - plain).max())


def party(rank, ports, options, shares, folder, other):
    """other: a connection to the other party's process, for what is checked after the clock."""
    if options.network:
        network.join(options.network, rank)
    import spu.libspu as lib
    from spu import api
    from spu.utils import frontend

    config = lib.RuntimeConfig(protocol=lib.ProtocolKind.SEMI2K, field=lib.FieldType.FM64)
    config.sort_method = lib.RuntimeConfig.SortMethod.SORT_QUICK  # its default, radix, is slower here
    config.enable_pphlo_profile = options.count
    log = Path(folder) / str(rank)
    if options.count:
        profiled(lib, log)
    description = lib.link.Desc()
    for index, port in enumerate(ports):
        host = network.address(index) if options.network else "127.0.0.1"
        description.add_party(f"p{index}", f"{host}:{port}")
    link = lib.link.create_brpc(description, rank)
    made = workloads()
    for name in options.workloads:
        function, args = made[name]
        inputs = [f"i{index}" for index in range(len(args))]
        secret = [lib.Visibility.VIS_SECRET] * len(args)
        compiled, _ = frontend.compile(
            frontend.Kind.JAX,
            function,
            args,
            {},
            inputs,
            secret,
            lambda outs: [f"o{index}" for index in range(len(outs))],
        )

        def ready(name=name, inputs=inputs):
            runtime = api.Runtime(link, config)
            for key, share in zip(inputs, shares[name], strict=True):
                runtime.set_var(key, share)
            return runtime

        found, runtime = counted(ready, compiled, log) if options.count else timed(ready, compiled, options.runs)
        if name in NETWORKS:
            other.send(runtime.get_var("o0"))
            if rank == 0:
                found["error"] = error_of(name, api, config, [runtime.get_var("o0"), other.recv()])
        if rank == 0:
            print(json.dumps({"workload": name, **found}), flush=True)


def main():
    import spu.libspu as lib
    from spu import api

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--network", help="socket of the relay of a slow network to run in")
    options = parser.parse_args()
    config = lib.RuntimeConfig(protocol=lib.ProtocolKind.SEMI2K, field=lib.FieldType.FM64)
    io, made = api.Io(2, config), workloads()
    options.workloads = options.workloads or list(made)
    shares = {
        name: [io.make_shares(np.asarray(arg), lib.Visibility.VIS_SECRET) for arg in made[name][1]]
        for name in options.workloads
    }
    ports, spawn = free_ports(2), mp.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="spu-log-") as folder:
        mine = [{name: [arg[rank] for arg in args] for name, args in shares.items()} for rank in range(2)]
        ends = spawn.Pipe()
        processes = [
            spawn.Process(target=party, args=(rank, ports, options, mine[rank], folder, ends[rank]))
            for rank in range(2)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(600)
            process.kill()


if __name__ == "__main__":
    main()
