"""What further lanes give: measured where they share this machine's cores, replayed where each has cores of its own.

    python benchmarks/lanes.py [--images 256] [--rows 4000000] [--partitions 16] [--lanes 1 2 4]

Measured: images per second of ResNet-20, and rows per second of a filter and a mean of shared rows, in sessions as
they come (Ray actors, sealed links). A lane is three workers; where there are fewer cores, further lanes can only fill
the time in which others wait.

Replayed, which is a simulation and is labelled so: the seconds of each part of the job (a batch, a partition) of the
one lane that ran here, and the driver's own seconds of the processor for it, are played again for more lanes. Each
lane works on parts one after the other, as it did; the driver, of which there is one, serves them in turn. So it says
where the driver becomes what holds up, and nothing of networks that lanes share.
"""

from __future__ import annotations

import argparse
import heapq
import os
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter, process_time

import numpy as np
import pandas as pd
import torch
from predictions import ResNet20
from tables import table

import analytics as an
import icm_ray as icm

REPLAYED = (1, 2, 4, 16, 64, 256, 1024)


def replay(parts: Sequence[float], driver: float, lanes: int) -> float:
    """Parts per second of so many lanes, each of which takes what one lane took here, of one driver.

    parts: seconds of a part, the driver's among them. driver: its seconds of the processor for each.
    """
    count = max(lanes, 1) * 8 * len(parts)
    free = [(0.0, lane) for lane in range(lanes)]
    heapq.heapify(free)
    served = last = 0.0
    for number in range(count):
        asked, lane = heapq.heappop(free)
        served = max(served, asked) + driver
        done = served + max(0.0, parts[number % len(parts)] - driver)
        heapq.heappush(free, (done, lane))
        last = max(last, done)
    return count / last


def images(lanes: int, count: int) -> tuple[list[float], float, int]:
    """Seconds of each batch as they came, the driver's for one, and images of one."""
    torch.manual_seed(0)
    net = ResNet20()
    with torch.no_grad():
        net.train()(torch.randn(64, 3, 32, 32))
    net.eval()
    pixels = np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32).clip(-4, 4)
    with icm.Session(lanes=lanes) as session:
        model = an.SecureModel(session, net, owner="alice", example_inputs=(pixels[:2],), bound=64.0)
        prediction = model.predict(pixels, owner="bob", output="label")
        prediction.reveal(to="bob")
        spent, began, took = process_time(), perf_counter(), []
        for batch in prediction.iter_batches("bob"):
            took.append(perf_counter() - began)
            began = perf_counter()
            size = max(len(column) for column in batch.values())
        return took, (process_time() - spent) / len(took), max(size, count // len(took))


def rows(lanes: int, count: int, partitions: int) -> tuple[list[float], float, int]:
    """Seconds of a partition, the driver's for one, and rows of one: of both owners, who have half of them each."""
    numbers = np.random.default_rng(1)
    own = count // 2
    owners = {
        name: pd.DataFrame({"age": numbers.integers(0, 100, own), "cost": np.round(numbers.gamma(2.0, 150.0, own), 2)})
        for name in ("alice", "bob")
    }
    with icm.Session(lanes=lanes, partition_bytes=own * 16 // partitions) as session:
        frame = an.from_pandas(session, owners).share()
        query = frame[frame["age"] >= 65]["cost"].mean()
        query.reveal()
        spent, began = process_time(), perf_counter()
        found = query.reveal()
        took, driver = perf_counter() - began, process_time() - spent
    both = pd.concat(owners.values())
    assert abs(found - both[both["age"] >= 65]["cost"].mean()) < 1e-3
    return [took / partitions], driver / partitions, count // partitions


def measured(
    job: Callable[[int], tuple[list[float], float, int]], lanes: Sequence[int]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Units per second, by lanes: as they ran, and replayed from what one lane did."""
    ran, trace = [], None
    for number in lanes:
        parts, driver, size = job(number)
        trace = trace or (parts, driver, size)
        ran.append((str(number), f"{size * len(parts) / sum(parts):,.0f}"))
    assert trace is not None
    parts, driver, size = trace
    return ran, [(str(number), f"{size * replay(parts, driver, number):,.0f}") for number in REPLAYED]


def main() -> None:
    """Run, replay, print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--lanes", type=int, nargs="+", default=(1, 2, 4))
    given = parser.parse_args()
    jobs = {
        "images/s, ResNet-20": partial(images, count=given.images),
        "rows/s, filter and mean of shares": partial(rows, count=given.rows, partitions=given.partitions),
    }
    print(f"{os.cpu_count()} cores")
    for name, job in jobs.items():
        ran, replayed = measured(job, given.lanes)
        print(f"\n{name}, measured:\n\n{table(('lanes', name), ran)}")
        print(f"simulated, each lane on cores of its own:\n\n{table(('lanes', name), replayed)}")


if __name__ == "__main__":
    main()
