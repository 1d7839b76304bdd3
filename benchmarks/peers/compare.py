"""Run the workloads of all three engines in turn (ours, SPU, CrypTen, ours on TLS, ours, ...); write a comparison.

usage: python benchmarks/peers/compare.py FOLDER OUT.json [WORKLOAD...] [--turns N] [--runs N] [--limit SECONDS]
                                          [--parts loopback slow] [--also profile prepared session] [--merge]
FOLDER: where install.sh put the peers

Each engine runs alone while the others are not there. A workload's time is the least of all its runs, so that a busy
moment of the machine hurts nobody; every engine has as many: one that fails in a turn is left out of that workload.
Bytes and rounds of the peers are counted in one more run that is not timed.

OUT.json is written after every step and continued by the next call, until every workload chosen then has its turns.
One of another commit or machine is refused: ratios are of one engine on one machine. With --merge one of another commit
is taken: the workloads that are named are measured anew, and bear their own date and commit; the others stay.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import engines
import network
import slow

VERSIONS = {"SPU": "0.9.5 (semi2k)", "CrypTen": "0.4.1 (trusted third party)"}


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def commit():
    def git(*words):
        done = subprocess.run(["git", "-C", str(engines.ROOT), *words], capture_output=True, text=True, check=True)  # noqa: S607
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "icm_ray", "cluster", "benchmarks/peers")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def machine():
    return {
        "commit": commit(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "tcp": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "versions": {**VERSIONS, "Python": platform.python_version()},
    }


def started(out, merge):
    """The report to go on with, or a new one. merge: whether it may be of another commit."""
    said = machine()
    if not out.exists():
        return {**said, "workloads": {}, "slow": {"rtt_ms": slow.RTT_MS, "mbit": slow.MBIT, "workloads": {}}}
    report = json.loads(out.read_text())
    other = [key for key, value in said.items() if report.get(key) != value and not (merge and key == "commit")]
    if other or "with changes" in said["commit"]:
        differs = f"was made with another {' and '.join(other)}" if other else "may be of other uncommitted changes"
        raise SystemExit(f"{out} {differs}; a comparison is of one commit and machine: write to another file")
    return report


def anew(report, names, parts, commit):
    """Begin with these workloads again, but for those of this commit. parts: where they are measured."""
    places = {"loopback": report["workloads"], "slow": report["slow"]["workloads"]}
    for part in parts:
        for name, entry in places[part].items():
            if name in names and entry.get("commit", report["commit"]) != commit:
                entry.clear()


def dated(report, entry, commit):
    """Say when a step was done: of the report's own commit there, of another one in the workload's entry."""
    place = report if report["commit"] == commit else entry
    place.update(commit=commit, date=time.strftime("%Y-%m-%d"))


def least(old, new):
    """Of two readings of the same engines the smaller ones."""
    return {engine: min(seconds, old[engine]) for engine, seconds in new.items() if engine in old} if old else new


def turn(folder, name, runs):
    """Every engine once: our record, and the best seconds of each."""
    record = engines.own(name, runs)
    seconds = {"icm-ray": record["seconds"]["min"]}
    for peer in engines.PEERS:
        if engines.has(peer, name):
            try:
                seconds[peer] = engines.timed(folder, peer, name, runs)
            except engines.Failed as failure:
                print(f"{peer} is left out of {name}: {failure}", file=sys.stderr)
    seconds["TLS"] = engines.own(name, runs, "--tls")["seconds"]["min"]
    return record, seconds


def loopback(options, name, entry):
    """One more turn of a workload, put into its entry."""
    record, seconds = turn(options.folder, name, options.runs)
    if seconds["icm-ray"] <= entry.get("seconds", seconds)["icm-ray"]:
        entry["record"] = record
    entry["seconds"] = least(entry.get("seconds"), seconds)
    entry["turns"] = entry.get("turns", 0) + 1
    entry["runs"] = entry.get("runs", 0) + options.runs


def counts(options, name, entry):
    peers = [peer for peer in engines.PEERS if engines.has(peer, name)]
    entry["counts"] = {peer: engines.counted(options.folder, peer, name) for peer in peers}


def profile(options, name, entry):
    """Where our time goes."""
    entry["profile"] = engines.own(name, options.runs, "--profile")["profile"]


def preprocessed(options, name, entry):
    """Our seconds where the dealer has dealt before the clock starts."""
    entry["prepared"] = engines.own(name, options.runs, "--preprocessed")["seconds"]["min"]


def session(options, name, entry):
    """Our seconds in a session as it comes: Ray actors, TLS."""
    entry["session"] = engines.own(name, options.runs, "--session")["seconds"]["min"]


def within_engine(_, name, entry):
    entry["engine"], entry["rounds"] = slow.within_engine(name)


def slowly(engine):
    def step(options, name, entry):
        entry.setdefault("seconds", {})[engine] = slow.measured(options.folder, engine, name)

    return step


ALSO = {"profile": profile, "prepared": preprocessed, "session": session}


def steps(options, report, why):
    """What is still to be done: (what it is, function, workload, entry of the report). Each takes minutes at most."""
    entries, slow_ones = report["workloads"], report["slow"]["workloads"]
    if "loopback" in options.parts:
        for index in range(options.turns):
            for name in options.workloads:
                entry = entries.setdefault(name, {})
                if entry.get("turns", 0) <= index:
                    yield f"turn {index + 1}", loopback, name, entry
    for name in options.workloads:
        entry = entries.setdefault(name, {})
        if "counts" not in entry:
            yield "bytes and rounds", counts, name, entry
        for what in options.also:
            if what not in entry:
                yield what, ALSO[what], name, entry
    for name in slow.WORKLOADS:
        if name in options.workloads and "slow" in options.parts:
            entry = slow_ones.setdefault(name, {})
            if "engine" not in entry:
                yield "a slow network within the engine", within_engine, name, entry
            for engine in ("icm-ray", *engines.PEERS):
                if not why and engines.has(engine, name) and engine not in entry.get("seconds", {}):
                    yield f"{engine} in a slow network", slowly(engine), name, entry


def arguments():
    sys.path.insert(0, str(engines.ROOT))
    from cluster.bench.run import names

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("workloads", nargs="*", help="all where none is named")
    parser.add_argument("--turns", type=int, default=2, help="that each workload is to have in the end")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each engine a turn, after one to warm up")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds after which no step is begun")
    parser.add_argument(
        "--merge", action="store_true", help="measure the named ones anew, in a report of other commits"
    )
    parser.add_argument("--parts", nargs="+", choices=("loopback", "slow"), default=["loopback", "slow"])
    parser.add_argument(
        "--also", nargs="+", choices=ALSO, default=[], help="of icm-ray alone, with options of icm bench"
    )
    options = parser.parse_args()
    if unknown := set(options.workloads) - set(names()):
        parser.error(f"unknown workload {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    if options.merge and not options.workloads:
        parser.error("--merge is for workloads that are named")
    if options.merge and "loopback" not in options.parts:
        parser.error("--merge measures on loopback in any case")
    options.workloads = options.workloads or list(names())
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and with it the engine that is running
    options = arguments()
    report, end = started(options.out, options.merge), time.monotonic() + options.limit
    made_at = commit()
    anew(report, options.workloads, options.parts, made_at)
    why = network.available() if "slow" in options.parts else ""
    if why:
        report["slow"]["why"] = why
        print(f"no slow network between the engines' processes: {why}; its figures are left out", file=sys.stderr)
    for what, step, name, entry in steps(options, report, why):
        if time.monotonic() > end:
            raise SystemExit(f"the limit of {options.limit:g} s was reached before: {name}, {what}")
        print(f"{name}: {what}", file=sys.stderr)
        try:
            step(options, name, entry)
        except engines.Failed as failure:
            print(f"{name}: {what}: {failure}", file=sys.stderr)
        dated(report, entry, made_at)
        options.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
