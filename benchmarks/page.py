"""Write docs/performance.md, its chart and the README's table from a comparison that benchmarks/peers/compare.py made.

usage: python benchmarks/page.py COMPARISON.json
"""

import json
import sys
from pathlib import Path

from chart import chart
from published import section
from tables import (
    PEERS,
    main_table,
    megabytes,
    memory_table,
    peers_bytes,
    profile_table,
    seconds,
    short_table,
    slow_table,
    traffic_table,
)

sys.path.append(str(Path(__file__).resolve().parent / "peers"))
sys.path.append(str(Path(__file__).resolve().parents[1]))
import slow

from cluster.bench import plain_networks

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Performance

Made by `benchmarks/peers/compare.py` and `benchmarks/page.py`; not edited by hand.

Measured on {date} at commit {commit}: {processor}, {cores} cores, {memory_gib} GiB, Linux {kernel};
{versions}.{later}

Two parties, and the dealer where there is one, are processes on this one machine. Inputs are shares before the clock
starts, outputs are shares when it stops, and the dealer's work is inside the clock. The engines took turns within one
run and never ran together; each figure is the least of an engine's timed runs, of which every engine had {runs}, a
warm-up aside.

![seconds relative to icm-ray, logarithmic](performance.svg)

## Seconds

Plain TCP over loopback, as the peers have it; "on TLS" is TLS 1.3 with mutual authentication, which every session uses.
{before}
{main}
† Another run, once, on another machine with 2 cores: for orientation, not part of the ratios. `hist16_100k` there
compares 32 bits.

{faster}
What the figures are, and are not:

- SPU's semi2k lets its first party deal (its trusted first party); CrypTen's dealer is a process, as ours is.
- Every peer has its best public setting: SPU sorts by `SORT_QUICK`, which is faster there than its default.
- `groupby16_100k` is the case of keys that are shared, too, and of public values. SPU has no such operation: there it
  is a product with the keys' one-hot matrix, 16 comparisons a row.
{tables}\
- `minionn_cifar_b8`: the weights are one party's own and loaded before the clock starts (F = W - B is opened once for
  the model); the peers' weights are shares. Activations, before a ReLU and after it, are promised, not checked, to stay
  below 2^9, as in the peers.
{networks}\
- `relu_1m`, `max_100k` and `hist16_100k` compare all 64 bits. Elsewhere widths follow from declared bounds: values of
  31 bits for the smooth functions, keys of 46 bits for the sort, of 20 bits for mean and variance.

## Rounds and bytes

Payload over all links: what every party and the dealer send. CrypTen is counted in all three processes between it and
torch.distributed; "+" are its requests to the third party, there and back between two rounds. SPU's figures are its own
profile's: bytes that both parties send, and how often one of them does. Rounds are exchanges of the parties that wait
for one another; our dealer is asked for nothing, it runs ahead. Ours are those of the timed runs, in which large
operations go block by block to stay within four times their inputs and outputs; the next table has those of whole ones.

{traffic}
{less}
"""
TABLES = {
    "groupby_100k": """\
- `groupby_100k` has keys of values that nobody knows. SPU's is its own group-by (`spu.ops.groupby`), which sorts and
  scans as ours does.
""",
    "join_100k": """\
- `join_100k`: SPU joins tables by private set intersection, which opens the keys that match, and has no join of shared
  ones: it is given ours (`cluster/bench/tables.py`), in its own sorts, sums and comparison.
""",
}
SESSION = """"In a session" is what a user feels: `icm.Session` as it comes, Ray actors and TLS, in place of the bench's
own processes.
"""
BEFORE = """"Dealt before" is what is left where the dealer's work is done before the clock starts. The peers' figures
hold that work, so this column is in no ratio.
"""
ALSO = {"session": SESSION, "prepared": BEFORE}
SLOW = """
## A slow network

{rtt_ms} ms there and back and {mbit} Mbit/s each way on every link; one run after one to warm up.{how}

{table}
By its counts a peer takes at least (rounds + 2 requests) x {rtt_ms} ms / 2, and its bytes over the rate: half of what
the parties send (they send at the same time), all of what the third party sends (it is waited for). Handshakes, TCP and
computing come on top. icm-ray runs with `in_flight` unlimited here: whole operations, fewest rounds.
{faster}"""
MEASURED = """
Every process runs in a network namespace of its own, and plain TCP ({tcp}) between them goes over links with that
delay and rate, the same for all engines (`benchmarks/peers/network.py`); no packet is lost. "Delay within the engine"
is what `icm bench --rtt-ms {rtt_ms} --mbit {mbit}` says, on loopback."""
NOT_MEASURED = """
The peers were not measured here ({why}); icm-ray was, with `icm bench --rtt-ms {rtt_ms} --mbit {mbit}`."""
PROFILE = """
## Where the time goes

Milliseconds of one run of median length and their part of it; a party: the slower one. prg: AES; kernels: compiled
loops and whole-array arithmetic; products: matrix products and convolutions; wire: sending and copying what arrives;
peers, dealer: waiting for these; python: interpreting all that, work that had a core, as prg, kernels and products are;
cores: ready to work without one, since four processes share them (wire, peers, dealer and orders hold such time, too);
orders: between the driver and the workers.

"""
MEMORY = """
## Memory

The most that one worker holds at a time of a run, a party with its share of the inputs, the dealer without (it has
none), against a party's shares of the program's inputs and outputs or, where these are larger, of its largest
operation's (of the networks). Counted by Python's tracemalloc in a run of its own: arrays and messages, not the
kernel's socket buffers, the interpreter, or freed memory that the allocator keeps.

"""


NETWORKS = """\
- `resnet20_b16` is ResNet-20 (shortcuts A, normalisations folded into the convolutions) on 16 images, `transformer_b1`
  an encoder of 2 layers (width 128, 4 heads, 512 inside, GELU, layer norm) on 32 embeddings. Weights are random, the
  same numbers in all engines. Ours are the first party's own, as above, and torch's module is imported and lowered as
  `SecureModel` does it; the peers' weights are shares. Values are promised to stay within the bounds that `SecureModel`
  measures, and would check: nothing is checked here, as in the peers.
- Results of these two have variance 1 and are held against float64, within {tolerance}. They are off by at most:
{errors}\
- `transformer_b1`: CrypTen has no GELU and no layer norm. They are written with its sigmoid and inverse square root;
  GELU as x sigmoid(2u), the form by tanh (its own erf is of no use beyond 2, and takes no less time). SPU computes
  jax's GELU, by tanh too, and a layer norm with its inverse square root. Ours is the module's GELU, by erf.
"""


def networks(workloads):
    """What is to be said of networks, where there are some."""
    found = {name: entry for name, entry in workloads.items() if name in plain_networks.NETWORKS}

    def words(entry):
        errors = {"icm-ray": entry["record"]["max_abs_error"]}
        errors |= {peer: count["error"] for peer, count in entry.get("counts", {}).items() if "error" in count}
        return ", ".join(f"{engine} {error:.1e}" for engine, error in errors.items())

    lines = "".join(f"  `{name}`: {words(entry)}.\n" for name, entry in found.items())
    return NETWORKS.format(tolerance=plain_networks.TOLERANCE, errors=lines) if found else ""


def later(report, entries):
    """A sentence for each time at which workloads were measured that is not the report's own."""
    times = {}
    for name, entry in entries.items():
        when = entry.get("date", report["date"]), entry.get("commit", report["commit"])
        times.setdefault(when, []).append(f"`{name}`")
    times.pop((report["date"], report["commit"]), None)
    return "".join(f"\nMeasured on {date} at commit {at}: {', '.join(names)}." for (date, at), names in times.items())


def listed(start, found, none):
    """A sentence and a list of those rows in which a peer is ahead."""
    return f"{start}\n\n" + "".join(f"- {line}\n" for line in found) if found else f"{none}\n"


def faster(entries):
    for name, entry in entries.items():
        took = entry.get("seconds", {})
        own = took.get("icm-ray", 0)
        if ahead := [f"{peer} {seconds(took[peer])} s" for peer in PEERS if took.get(peer, own) < own]:
            yield f"`{name}`: {', '.join(ahead)}, icm-ray {seconds(own)} s"


def sends_less(workloads):
    for name, entry in workloads.items():
        own, found = entry["record"]["bytes_all"], peers_bytes(entry)
        if less := [f"{peer} {amount(count)}" for peer, count in found.items() if count < own]:
            yield f"`{name}`: {', '.join(less)}, icm-ray {amount(own)}"


def amount(count):
    words = megabytes(count)
    return words if words.endswith("B") else f"{words} MB"


def slow_part(report):
    slow_ones = {name: entry for name, entry in report["slow"]["workloads"].items() if entry}
    if not slow_ones:
        return ""
    said = {**report["slow"], "tcp": report["tcp"]}
    counts = {name: report["workloads"].get(name, {}).get("counts", {}) for name in slow_ones}
    bounds = {name: {peer: slow.at_least(count) for peer, count in found.items()} for name, found in counts.items()}
    how = MEASURED if any("seconds" in entry for entry in slow_ones.values()) else NOT_MEASURED
    ahead = listed("\nThere a peer is faster in:", list(faster(slow_ones)), "")
    said["how"] = later(report, slow_ones) + how.format_map(said)
    text = SLOW.format(**said, table=slow_table(slow_ones, bounds), faster=ahead)
    return text.rstrip() + "\n"


def page(report, workloads):
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    counts = sorted({entry["runs"] for entry in workloads.values()})
    text = HEAD.format(
        **{key: report[key] for key in ("date", "commit", "processor", "cores", "memory_gib", "kernel")},
        versions=versions,
        runs=" to ".join(map(str, dict.fromkeys((counts[0], counts[-1])))),
        tables="".join(text for name, text in TABLES.items() if name in workloads),
        networks=networks(workloads),
        later=later(report, workloads),
        before="".join(text for what, text in ALSO.items() if any(what in entry for entry in workloads.values())),
        main=main_table(workloads),
        traffic=traffic_table(workloads),
        faster=listed("Where a peer is faster:", list(faster(workloads)), "No peer is faster in any of them."),
        less=listed("Where a peer sends less:", list(sends_less(workloads)), "No peer sends less in any of them."),
    )
    text = text.rstrip() + "\n" + slow_part(report)
    for head, part in ((PROFILE, profile_table(workloads)), (MEMORY, memory_table(workloads))):
        text += head + part if part else ""
    return text + section()


def readme(report, workloads):
    return (
        f"Two parties and a dealer on {report['cores']} cores ({report['processor']}), loopback TCP, seconds. Rounds,\n"
        "bytes, TLS and a slow network are in [docs/performance.md](docs/performance.md), made by the benchmark.\n\n"
        "![seconds relative to icm-ray, logarithmic](docs/performance.svg)\n\n" + short_table(workloads)
    )


def main():
    report = json.loads(Path(sys.argv[1]).read_text())
    workloads = {name: entry for name, entry in report["workloads"].items() if "seconds" in entry}
    ratios = {
        name: {peer: entry["seconds"][peer] / entry["seconds"]["icm-ray"] for peer in PEERS if peer in entry["seconds"]}
        for name, entry in workloads.items()
    }
    (ROOT / "docs" / "performance.md").write_text(page(report, workloads))
    (ROOT / "docs" / "performance.svg").write_text(chart(ratios))
    path = ROOT / "README.md"
    before, rest = path.read_text().split("<!-- bench -->")
    after = rest.split("<!-- /bench -->")[1]
    path.write_text(before + "<!-- bench -->\n" + readme(report, workloads) + "<!-- /bench -->" + after)


if __name__ == "__main__":
    main()
