"""`icm bench`: times the workloads, every party and the dealer a process of its own over loopback TCP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

__all__ = ["bench"]

_NAMES = ("alice", "bob", "carol", "dora", "emil", "fay", "gil", "hana")


def bench(
    workloads: Annotated[list[str] | None, typer.Argument(help="names; all of them where none is given")] = None,
    parties: Annotated[int, typer.Option(min=2, max=len(_NAMES), help="how many parties compute")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="timed runs of each workload, after one to warm up")] = 3,
    rtt_ms: Annotated[float, typer.Option(min=0, help="put so many milliseconds, there and back, on the links")] = 0.0,
    mbit: Annotated[float, typer.Option(min=0, help="and so many megabits a second at most; 0: no limit")] = 0.0,
    in_flight: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="megabytes that a worker may hold between inputs and outputs; 0: by their sizes; "
            "ICM_IN_FLIGHT (bytes) where it is not given",
        ),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="authenticate and encrypt every link")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="run as often again, and say where the time goes")] = False,
    preprocessed: Annotated[
        bool, typer.Option("--preprocessed", help="deal before the clock starts: the online phase alone")
    ] = False,
    session: Annotated[
        bool, typer.Option("--session", help="through a session as it comes: Ray actors, one lane, TLS")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="that each worker, a party's or the dealer's, keeps at work")] = 1,
    json: Annotated[Path | None, typer.Option(help="write a list of records to this file")] = None,
) -> None:
    """Time workloads that other engines are measured on.

    Inputs are shares before the clock starts, outputs are shares when it stops, and the dealer's work is inside it, but
    for --preprocessed. The links are plain TCP unless --tls is given, as other engines' benchmarks have it; with
    --session they are what every user gets, TLS, and the workers are Ray actors. Settings that have no option are
    those of the environment, ICM_SILENCE and so on, as for any session.

    Example: icm bench --parties 3 --rtt-ms 40
    """
    from cluster.bench.profile import HEADS, rows
    from cluster.bench.run import Record, measure, names, workload
    from icm_ray.config import from_environment
    from icm_ray.runtime.carriers.processes import ProcessEngine
    from icm_ray.runtime.session import Session

    console, chosen = Console(), workloads or list(names())
    unknown = [name for name in chosen if name not in names()]
    if unknown:
        raise typer.BadParameter(f"unknown workload {', '.join(unknown)}; there are {', '.join(names())}")
    records: list[Record] = []
    if session and threads > 1:
        raise typer.BadParameter("a session gives each worker the threads of its CPUs: leave --threads out")
    tls = tls or session
    config = replace(from_environment(), tls=tls, rtt_ms=rtt_ms, mbit=mbit, free_programs=True)
    if in_flight is not None:
        config = replace(config, in_flight=in_flight << 20)

    def start() -> Session | ProcessEngine:
        if session:
            return Session(_NAMES[:parties], lanes=1, config=config)
        return ProcessEngine(_NAMES[:parties], config=config, threads=threads)

    with start() as engine:
        for name in chosen:
            with console.status(f"{name} ..."):
                records.append(
                    measure(engine, workload(name), repeats, tls, profiled=profile, preprocessed=preprocessed)
                )
            record = records[-1]
            console.print(
                f"{name:20s} {record.seconds.min:8.4f} s  {record.rounds:3d} rounds  error {record.max_abs_error:.2e}"
            )
    how = ", Ray actors" if session else ""
    how += (f", {threads} threads each" if threads > 1 else "") + (", dealt before" if preprocessed else "")
    table = Table(title=f"{parties} parties, {'TLS 1.3' if tls else 'plain TCP'} on loopback{how}")
    for head in ("workload", "seconds (min)", "median", "rounds", "MB a party", "MB dealt", "held", "max abs error"):
        table.add_column(head, justify="left" if head == "workload" else "right")
    for record in records:
        table.add_row(
            record.workload,
            f"{record.seconds.min:.4f}",
            f"{record.seconds.median:.4f}",
            str(record.rounds),
            f"{record.bytes_per_party / 1e6:.2f}",
            f"{record.dealer_bytes / 1e6:.2f}",
            f"{record.held / record.shares:.1f} x",
            f"{record.max_abs_error:.1e}",
        )
    console.print(table)
    if profile:
        spent = Table(title="where the time goes: milliseconds (per cent); a party: the slower one")
        for head in HEADS:
            spent.add_column(head, justify="left" if head in HEADS[:2] else "right")
        for row in rows({record.workload: record.profile for record in records if record.profile is not None}):
            spent.add_row(*row)
        console.print(spent)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=2))
