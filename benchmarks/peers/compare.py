"""Run the workloads of all three engines in turn (ours, SPU, CrypTen, ours, ...) and write the comparison as JSON.

usage: python benchmarks/peers/compare.py FOLDER OUT.json [ROUNDS]      FOLDER: where install.sh put the peers

Each engine runs alone while the others are not there. A workload's time is the least of all its runs, so that a busy
moment of the machine hurts nobody; ratios are taken within this one run.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def own(names, tls=False):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [
            sys.executable,
            "-m",
            "cluster.cli.main",
            "bench",
            *names,
            "--repeats",
            str(RUNS),
            "--json",
            file.name,
        ]
        subprocess.run(
            [*command, *(["--tls"] if tls else [])], cwd=ROOT, check=True, timeout=900, stdout=subprocess.DEVNULL
        )
        return {record["workload"]: record for record in json.loads(Path(file.name).read_text())}


def peer(folder, which, names):
    found = {}
    for name in names:
        done = subprocess.run(
            [str(folder / which / "bin" / "python"), str(HERE / f"{which}_bench.py"), name],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                record = json.loads(line)
                found[record["workload"]] = min(record["seconds"])
        if name not in found:
            print(f"{which} has no {name}", file=sys.stderr)
    return found


def least(old, new):
    return {name: min(old.get(name, float("inf")), seconds) for name, seconds in {**old, **new}.items()}


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def commit():
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def report(chosen, records, ours, spu, crypten, tls, turns):
    versions = {"SPU": "0.9.5 (semi2k)", "CrypTen": "0.4.1 (trusted third party)", "Python": platform.python_version()}
    rows = [
        {**records[name], "seconds": ours[name], "tls": tls[name], "spu": spu.get(name), "crypten": crypten.get(name)}
        for name in chosen
    ]
    date = time.strftime("%Y-%m-%d")
    machine = {"processor": processor(), "cores": os.cpu_count()}
    runs = {"icm-ray": RUNS, "SPU": RUNS, "CrypTen": RUNS}
    said = {"date": date, "commit": commit(), "turns": turns, "runs": runs, **machine}
    return {**said, "versions": versions, "workloads": rows}


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    sys.path.insert(0, str(ROOT))
    from cluster.bench.run import names

    chosen, ours, spu, crypten, tls = list(names()), {}, {}, {}, {}
    for turn in range(rounds):
        records = own(chosen)
        ours = least(ours, {name: record["seconds"]["min"] for name, record in records.items()})
        spu = least(spu, peer(folder, "spu", chosen))
        crypten = least(crypten, peer(folder, "crypten", [name for name in chosen if name not in NO_CRYPTEN]))
        tls = least(tls, {name: record["seconds"]["min"] for name, record in own(chosen, tls=True).items()})
        out.write_text(json.dumps(report(chosen, records, ours, spu, crypten, tls, turn + 1), indent=2))


RUNS = 3  # timed runs a turn; REPEATS in the peers' scripts is the same
NO_CRYPTEN = {"groupby16_100k", "sort_100k", "gelu_100k"}

if __name__ == "__main__":
    main()
