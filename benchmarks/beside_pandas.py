"""What benchmarks that ask pandas the same have in common: comparing, timing, tables."""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd

__all__ = ["arguments", "asked", "same", "timed", "written"]


def arguments(questions, **numbers):
    """A parser of a command line: the questions, and whole numbers with their defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("questions", nargs="*", default=list(questions))
    for name, value in {**numbers, "repeats": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", type=Path)
    return parser


def same(found, wanted, rtol, **options):
    """Assert that two results are equal, doubles within `rtol`. options: of `assert_frame_equal`."""
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, rtol=rtol, check_index_type=False, **options)
    elif isinstance(wanted, tuple):
        assert np.array_equal(found[0], wanted[0])
    elif isinstance(wanted, pd.Timestamp):
        assert abs(found - wanted) <= pd.Timedelta("1us")
    else:
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=rtol)


def timed(ask):
    """(result, seconds)."""
    started = perf_counter()
    result = ask()
    return result, perf_counter() - started


def asked(names, repeats, once):
    """A record for each question, printed as it is made. once: of a name our seconds, and pandas'; the first run warms
    up.
    """
    records = []
    print(f"{'question':18} {'seconds':>8} {'pandas':>8} {'ratio':>7}")
    for name in names:
        runs = [once(name) for _ in range(repeats + 1)][1:]
        ours, theirs = (median(seconds) for seconds in zip(*runs, strict=True))
        records.append({"question": name, "seconds": ours, "pandas": theirs, "ratio": ours / theirs})
        print(f"{name:18} {ours:8.3f} {theirs:8.3f} {ours / theirs:7.2f}", flush=True)
    return records


def written(path, records, **sizes):
    """Say what the largest worker held, once all have ended; write the records, where a path is given."""
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"the largest worker held {worker / 1024:.0f} MiB")
    if path:
        path.write_text(json.dumps({**sizes, "questions": records, "worker_kib": worker}, indent=1))
