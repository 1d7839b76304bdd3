"""Write docs/performance.md, its chart and the README's table from one run of benchmarks/peers/compare.py.

usage: python benchmarks/page.py COMPARISON.json
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLOURS = {"icm-ray": "#0b7285", "CrypTen": "#e8890c", "SPU": "#868e96"}
HEAD = """# Performance

Made by `benchmarks/peers/compare.py` and `benchmarks/page.py`; not edited by hand.

{date}, {processor}, {cores} cores. Parties (and the dealer, where there is one) are processes on one machine over
loopback; inputs are shares before the clock starts, outputs are shares when it stops, and the dealer's work is inside
the clock. The engines took turns within one run and never ran together; each figure is the least of its engine's runs:
{turns} turns, with timed runs a turn of {runs}, after one to warm up. Measured at commit {commit}.
Peers: {versions}.

![seconds relative to icm-ray, logarithmic](performance.svg)

| workload | icm-ray | SPU | CrypTen | best peer / icm-ray | with TLS | rounds | MB a party | MB dealt | max error |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""
NOTES = """
What the figures are, and are not:

- SPU's semi2k lets its first party deal (its trusted first party); CrypTen's dealer is a process, as ours is.
- Our links are plain TCP in the column "icm-ray", as the peers' are; "with TLS" is TLS 1.3 with mutual authentication,
  which every session uses.
- `minionn_cifar_b8`: the weights are one party's own and loaded before the clock starts (F = W - B is opened once for
  the model); the peers' weights are shares. Activations are promised, not checked, to stay below 2^9, as in the peers.
- relu_1m, max_100k and hist16_100k compare all 64 bits. Elsewhere widths follow from declared bounds: values of 31 bits
  for the smooth functions, keys of 46 bits for the sort, of 20 bits for mean and variance.
- The least of more runs is smaller: where engines had different numbers of runs, that favours the one with more.
- MP-SPDZ was not in this run.
"""


def seconds(value):
    return "–" if value is None else f"{value:.4f}" if value < 0.1 else f"{value:.2f}"


def best_peer(record):
    peers = [record[name] for name in ("spu", "crypten") if record[name] is not None]
    return min(peers) if peers else None


def row(record):
    best = best_peer(record)
    ratio = "–" if best is None else f"{best / record['seconds']:.1f}"
    cells = (
        record["workload"],
        seconds(record["seconds"]),
        seconds(record["spu"]),
        seconds(record["crypten"]),
        ratio,
        seconds(record["tls"]),
        str(record["rounds"]),
        f"{record['bytes_per_party'] / 1e6:.2f}",
        f"{record['dealer_bytes'] / 1e6:.2f}",
        f"{record['max_abs_error']:.1e}",
    )
    return "| " + " | ".join(cells) + " |"


def chart(records):
    """Horizontal bars on a logarithmic axis: each engine's time over ours."""
    from math import log10

    left, width, high = 150, 520, 15
    rows, top = [], max(max(r[p] or 0 for p in ("spu", "crypten")) / r["seconds"] for r in records)
    scale = width / max(log10(top) + 0.3, 1)
    y = 30
    for record in records:
        rows.append(f'<text x="{left - 8}" y="{y + 26}" text-anchor="end">{record["workload"]}</text>')
        for name, key in (("icm-ray", "seconds"), ("CrypTen", "crypten"), ("SPU", "spu")):
            if record[key] is not None:
                ratio = record[key] / record["seconds"]
                length = max((log10(ratio) + 0.15) * scale, 2)
                rows.append(
                    f'<rect x="{left}" y="{y}" width="{length:.0f}" height="{high - 3}" fill="{COLOURS[name]}"/>'
                )
                rows.append(f'<text x="{left + length + 4:.0f}" y="{y + 10}" font-size="10">{ratio:.1f} x</text>')
            y += high
        y += 10
    legend = "".join(
        f'<rect x="{left + 110 * i}" y="8" width="12" height="12" fill="{colour}"/>'
        f'<text x="{left + 110 * i + 17}" y="18">{name}</text>'
        for i, (name, colour) in enumerate(COLOURS.items())
    )
    body = "\n".join(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {y + 10}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{legend}\n{body}\n</svg>\n'
    )


def main():
    report = json.loads(Path(sys.argv[1]).read_text())
    records = report["workloads"]
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if name != "Python")
    runs = ", ".join(f"{name} {count}" for name, count in report["runs"].items())
    plain = {key: report[key] for key in ("date", "processor", "cores", "turns", "commit")}
    head = HEAD.format(**plain, versions=versions, runs=runs)
    faster = [record["workload"] for record in records if (best_peer(record) or record["seconds"]) < record["seconds"]]
    slower = f"- A peer is faster in: {', '.join(faster)}.\n" if faster else "- No peer is faster in any workload.\n"
    (ROOT / "docs" / "performance.md").write_text(head + "\n".join(map(row, records)) + "\n" + NOTES + slower)
    (ROOT / "docs" / "performance.svg").write_text(chart(records))
    table = [
        f"Two parties and a dealer on {report['cores']} cores ({report['processor']}), loopback TCP, seconds; more in",
        "[docs/performance.md](docs/performance.md), which the benchmark writes.",
        "",
        "![seconds relative to icm-ray, logarithmic](docs/performance.svg)",
        "",
        "| workload | icm-ray | SPU | CrypTen | best peer / icm-ray |",
        "|---|---:|---:|---:|---:|",
    ]
    table += [" | ".join(row(record).split(" | ")[:5]) + " |" for record in records]
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split("<!-- bench -->")
    after = rest.split("<!-- /bench -->")[1]
    readme.write_text(before + "<!-- bench -->\n" + "\n".join(table) + "\n<!-- /bench -->" + after)


if __name__ == "__main__":
    main()
