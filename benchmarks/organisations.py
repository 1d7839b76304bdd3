"""What it costs that organisations are apart: the same questions on one machine's lanes, and between three instances.

    python benchmarks/organisations.py [--rows 1000000] [--repeats 3] [--first] [--json FILE]

Alice's, Bob's and a dealer's instances are processes of their own (`icm serve`), whose workers meet over TLS; beside
them the lanes that one driver starts, whose links are the same. Questions go to both in turn, the answers are
compared. Also: seconds from `icm.connect` to the first answer under a standing approval, and to the next one, with a
worker that stands by at each instance, and without; `--first`: these alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
import pandas as pd

import analytics as an
import icm_ray as icm
from cluster.local_instances import await_serving, free_port, meet, started
from icm_ray.policy import OPERATIONS
from icm_ray.runtime.carriers.processes import ProcessEngine

CLI = (sys.executable, "-m", "cluster.cli.main")
DOMAIN = {"ward": list("ABCDEFGH")}
POLICY = icm.Policy(min_rows=5, operations=OPERATIONS)
STANDING_BY = 10.0
"""Seconds after which workers stand by, on a machine that does nothing else."""


def columns(rows, seed):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": random.integers(0, 100, rows),
            "cost": np.round(random.gamma(2.0, 150.0, rows) * 64) / 64,
            "ward": random.choice(DOMAIN["ward"], rows),
        }
    )


def told(home, *words):
    subprocess.run(
        [*CLI, words[0], "--home", str(home), *words[1:]], check=True, stdout=subprocess.DEVNULL, timeout=120
    )


@contextmanager
def organisations(root):
    """Folders of the three, whose instances serve and have met."""
    homes = {name: root / name for name in ("alice", "bob", "carol")}
    with ExitStack() as stack:
        for name, home in homes.items():
            dealer = ["--dealer"] if name == "carol" else []
            told(home, "init", name, "--listen", f"127.0.0.1:{free_port()}", *dealer)
        processes = [stack.enter_context(started(home)) for home in homes.values()]
        for home, process in zip(homes.values(), processes, strict=True):
            await_serving(home, process)
        for inviter, guest in (("alice", "bob"), ("alice", "carol"), ("carol", "bob")):
            meet(homes[inviter], homes[guest])
        yield homes


def offered(homes, root, rows):
    """Each owner's rows in a file, in its catalogue, under the same policy; the files."""
    rules = root / "rules.toml"
    rules.write_text(f"min_rows = {POLICY.min_rows}\noperations = {json.dumps(POLICY.operations)}\nrow_sets = 1024\n")
    files = {}
    for seed, (name, other) in enumerate((("alice", "bob"), ("bob", "alice"))):
        files[name] = root / f"{name}.parquet"
        columns(rows, seed).to_parquet(files[name])
        told(homes[name], "data", "visits", str(files[name]), "--policy", str(rules), "--standing", other)
    return files


def questions(both, bobs, number):
    """By name, others for each number: what was answered once would be answered again without work. both: a frame of
    both owners' rows. bobs: shares of Bob's.
    """
    old, bobs_old = both[both["age"] >= 40 + 5 * number], bobs[bobs["age"] >= 40 + 5 * number]
    return {
        "filter + sum, mean, std": [old["cost"].sum(), old["cost"].mean(), old["cost"].std()],
        "filter + group-by": [old.groupby("ward", domain=DOMAIN)["cost"].mean()],
        "shares: filter + mean": [bobs_old["cost"].mean()],
        "shares: group-by": [bobs_old.groupby("ward")["cost"].agg(["sum", "mean", "count"])],
        "shares: median": [bobs_old["cost"].median()],
    }


def timed(ask):
    started = perf_counter()
    return ask(), perf_counter() - started


def _paired(sides):
    """(name, the queries of one side, those of the other)."""
    ours, theirs = sides
    return [(name, queries, theirs[name]) for name, queries in ours.items()]


def first_answers(home, rows, repeats):
    """Records of what a connection's first answer takes. The second connection of each pair finds no worker that stands
    by: the first one has just taken it.
    """
    taken = {"first answer": [], "first, none stands by": [], "next answer": []}
    for _ in range(repeats):
        sleep(STANDING_BY)
        for name in ("first answer", "first, none stands by"):
            started = perf_counter()
            with icm.connect(home) as session:
                both = session.frame({"alice": "visits", "bob": "visits"})
                total = both["cost"].sum().reveal()
                taken[name].append(perf_counter() - started)
                again, seconds = timed(lambda both=both: both["cost"].mean().reveal())
                taken["next answer"].append(seconds)
                assert total / (2 * rows) == again
    return [{"question": name, "seconds": median(seconds)} for name, seconds in taken.items()]


def beside(rows, repeats, root, first):
    """A record of each question: seconds between organisations, of one driver's lanes, their ratio."""
    with organisations(root) as homes:
        files = offered(homes, root, rows)
        records = first_answers(homes["alice"], rows, repeats)
        if first:
            return records
        with ExitStack() as stack:
            session = stack.enter_context(icm.connect(homes["alice"]))
            apart = session.frame({"alice": "visits", "bob": "visits"})
            engine = stack.enter_context(ProcessEngine())
            here = {name: an.read_parquet(engine, {name: str(file)}, policy=POLICY) for name, file in files.items()}
            sides = (
                (apart, session.peer("bob")["visits"].share(domain=DOMAIN)),
                (an.concat(list(here.values())), here["bob"].share(domain=DOMAIN)),
            )
            runs = {}
            for number in range(repeats + 1):
                for name, *asked in _paired(questions(*side, number) for side in sides):
                    (ours, took), (theirs, lanes) = (timed(partial(icm.reveal, *queries)) for queries in asked)
                    for one, other in zip(ours, theirs, strict=True):
                        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-9)
                    runs.setdefault(name, []).append((took, lanes))
            for name, pairs in runs.items():
                took, lanes = (median(column) for column in zip(*pairs[1:], strict=True))
                records.append({"question": name, "seconds": took, "one driver": lanes, "ratio": took / lanes})
            return records


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each owner")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--first", action="store_true", help="first answers of connections alone")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="organisations-") as folder:
        records = beside(given.rows, given.repeats, Path(folder), given.first)
    print(f"{'question':26} {'apart':>8} {'together':>8} {'ratio':>6}")
    for record in records:
        rest = f"{record['one driver']:8.3f} {record['ratio']:6.2f}" if "ratio" in record else ""
        print(f"{record['question']:26} {record['seconds']:8.3f} {rest}")
    if given.json:
        given.json.write_text(json.dumps({"rows": given.rows, "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
