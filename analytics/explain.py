"""What a reveal would do, for people, from public facts alone; nothing runs."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.execute import Plan, check, plan
from analytics.histogram import Histogram
from analytics.measures import Measure
from icm_ray.ops.cost import Cost
from icm_ray.ops.linear import Input
from icm_ray.program.explain import widths
from icm_ray.program.program import Program

__all__ = ["explain"]


def explain(measures: Sequence[Measure], to: str | None) -> str:
    """Per result what is opened, to whom, public sizes and the error bound; for all of them rounds and bytes."""
    engine = check(measures, to)
    planned = plan(engine, measures, to)
    recipient = "the driver, where the parties' shares meet" if to is None else f"{to} alone"
    lines: list[str] = []
    for measure in measures:
        rows = measure.rows
        brought = ", ".join(f"{count} of {owner}" for owner, count in rows.owners.items())
        how = "shares of the parties" if rows.shared else "each owner aggregates its own and shares the aggregate"
        lines += [
            f"{measure.title}",
            f"  rows: {rows.count} ({brought}), public; {how}",
            f"  opened: {measure.opens}",
        ]
        if measure.parts():
            lines.append(f"  to: {recipient}")
        if isinstance(measure, Histogram):
            lines += [f"  {note}" for note in measure.notes]
        rounded = isinstance(measure, Histogram) and rows.step(measure.column) > 0
        lines.append(f"  result: {measure.error}{' for the values as shared' if rounded else ''}")
        if rows.policy is not None and rows.policy.min_rows > 1:
            lines.append(f"  policy: at least {rows.policy.min_rows} rows behind a revealed number")
    return "\n".join(lines + _costs(planned, engine.parties))


def _costs(planned: Plan, parties: tuple[str, ...]) -> list[str]:
    if planned.last is None:
        return ["cost: nothing is sent"]
    first = [job.program for job in planned.partial]
    total = Cost.free(len(parties))
    for program in first:
        total = total.beside(program.cost())
    total = total.then(planned.last.program.cost())
    lines = [_inputs(program) for program in (*first, planned.last.program)]
    lines += dict.fromkeys(line for program in (*first, planned.last.program) for line in widths(program))
    lanes = f" in {len(first)} lanes, joined in the first" if first else ""
    opened = sum(reveal.type.count for reveal in planned.reveals)
    lines.append(
        f"cost: {total.rounds} rounds{lanes}, {max(total.sent)} bytes sent by a party at most, "
        f"{total.dealt} bytes from the dealer, {opened} numbers opened"
    )
    return [line for line in lines if line]


def _inputs(program: Program) -> str:
    shared = [
        f"{node.op.owner}'s {node.op.name} ({node.op.type.count})"
        for node in program.nodes
        if isinstance(node.op, Input)
    ]
    return f"shared: {', '.join(shared)}" if shared else ""
