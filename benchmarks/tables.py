"""The tables of docs/performance.md, in markdown, out of a comparison's JSON. Seconds; megabytes are 10^6 bytes."""

PEERS = ("SPU", "CrypTen")
SHORT = ("workload", "icm-ray", *PEERS, "best peer / icm-ray")
OTHER_RUN = "MP-SPDZ †"
# MP-SPDZ is not installed by install.sh: figures of one run of it on another machine with 2 cores.
OTHER_SECONDS = {
    "relu_1m": 0.71,
    "mul_1m": 0.57,
    "matmul_512": 1.4,
    "matmul_1024": 39,
    "hist16_100k": 0.69,
    "sort_100k": 117,
    "minionn_cifar_b8": 5.5,
}
OTHER_MB = {"relu_1m": 162, "hist16_100k": 134, "minionn_cifar_b8": 372}
NONE = "–"


def table(head, rows):
    """Left-aligned first column, the others right-aligned."""
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def seconds(value):
    return (
        NONE if value is None else f"{value:.4f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
    )


def megabytes(count):
    if count is None:
        return NONE
    return f"{count} B" if count < 10_000 else f"{count / 1e6:.2f}" if count < 1e7 else f"{count / 1e6:.1f}"


def times(value):
    return NONE if value is None else f"{value:.2f}" if value < 1 else f"{value:.1f}"


def ratio(found, own):
    """The least of the peers' figures over ours; None where one is missing."""
    least = min((found[peer] for peer in PEERS if peer in found), default=None)
    return least / own if least is not None and own else None


def peers_bytes(entry):
    return {peer: count["bytes"] for peer, count in entry.get("counts", {}).items()}


def main_table(workloads):
    """Seconds of every engine."""
    also = {
        what: head
        for what, head in (("session", "in a session"), ("prepared", "dealt before"))
        if any(what in entry for entry in workloads.values())
    }

    def row(name, entry):
        took = entry["seconds"]
        return (
            *short_row(name, entry),
            seconds(took["TLS"]),
            *(seconds(entry.get(what)) for what in also),
            f"{entry['record']['max_abs_error']:.1e}",
            str(OTHER_SECONDS.get(name, NONE)),
        )

    head = (*SHORT, "icm-ray on TLS", *(f"icm-ray, {head}" for head in also.values()), "max error", OTHER_RUN)
    return table(head, (row(name, entry) for name, entry in workloads.items()))


def short_row(name, entry):
    took = entry["seconds"]
    own = took["icm-ray"]
    return name, seconds(own), *(seconds(took.get(peer)) for peer in PEERS), times(ratio(took, own))


def short_table(workloads):
    """Seconds and ratio alone."""
    return table(SHORT, (short_row(name, entry) for name, entry in workloads.items()))


def rounds(count):
    if count is None:
        return NONE
    return f"{count['rounds']} + {count['requests']}" if "requests" in count else str(count["rounds"])


def traffic_table(workloads):
    """Rounds and bytes over all links."""

    def row(name, entry):
        record, counts = entry["record"], entry.get("counts", {})
        return (
            name,
            str(record["rounds"]),
            *(rounds(counts.get(peer)) for peer in PEERS),
            megabytes(record["bytes_all"]),
            *(megabytes(peers_bytes(entry).get(peer)) for peer in PEERS),
            times(ratio(peers_bytes(entry), record["bytes_all"])),
            megabytes(record["bytes_per_party"]),
            megabytes(record["dealer_bytes"]),
            str(OTHER_MB.get(name, NONE)),
        )

    engines = ("icm-ray", *PEERS)
    head = (
        "workload",
        *(f"rounds {engine}" for engine in engines),
        *(f"MB {engine}" for engine in engines),
        "least peer / icm-ray",
        "MB a party of icm-ray's",
        "MB dealt by icm-ray's dealer",
        f"MB {OTHER_RUN}",
    )
    return table(head, (row(name, entry) for name, entry in workloads.items()))


def slow_table(slow, bounds):
    """Seconds in the slow network. bounds: by workload, by peer: the least by its counts."""
    measured = any("seconds" in entry for entry in slow.values())
    head = ["workload"]
    if measured:
        head += ["icm-ray", *PEERS, "best peer / icm-ray"]
    head += [
        "icm-ray's rounds",
        "icm-ray, delay within the engine",
        *(f"{peer}, at least by its counts" for peer in PEERS),
    ]

    def row(name, entry):
        took = entry.get("seconds", {})
        cells = [name]
        if measured:
            own = took.get("icm-ray")
            cells += [seconds(own), *(seconds(took.get(peer)) for peer in PEERS), times(ratio(took, own))]
        cells.append(str(entry.get("rounds", NONE)))
        return (*cells, seconds(entry.get("engine")), *(seconds(bounds[name].get(peer)) for peer in PEERS))

    return table(tuple(head), (row(name, entry) for name, entry in slow.items()))


def profile_table(workloads):
    """Milliseconds of a run by part, and per cent; a party: the slower one. Empty where no workload was profiled."""
    found = {name: entry["profile"] for name, entry in workloads.items() if entry.get("profile")}
    parts = dict.fromkeys(part for one in found.values() for spent in one["spent"].values() for part in spent)

    def cell(value, total):
        return f"{1e3 * value:.2f} ({value / total:.0%})" if total else NONE

    def rows():
        for name, one in found.items():
            for member, spent in one["spent"].items():
                total = one["seconds"] if member == "party" else sum(spent.values())
                rest = cell(max(total - sum(spent.values()), 0), total) if member == "party" else ""
                yield (
                    f"{name}, {member}",
                    f"{1e3 * total:.2f}",
                    *(cell(spent.get(part, 0), total) for part in parts),
                    rest,
                )

    return table(("workload, member", "ms", *parts, "orders"), rows()) if found else ""


def memory_table(workloads):
    """What a worker held at the most. Empty where that was not measured."""
    found = {name: entry["record"] for name, entry in workloads.items() if entry["record"].get("held")}
    head = ("workload", "inputs and outputs, MB", "held at the most, MB", "times")
    rows = (
        (name, megabytes(one["shares"]), megabytes(one["held"]), times(one["held"] / one["shares"]))
        for name, one in found.items()
    )
    return table(head, rows) if found else ""
