"""What answering a question would do, for people, from public facts alone; nothing runs."""

from __future__ import annotations

from icm_ray.names import DRIVER
from icm_ray.ops.cost import Cost
from icm_ray.ops.linear import Input
from icm_ray.ops.values import ValueType
from icm_ray.program.explain import widths
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.query.lower import Lowered
from icm_ray.query.question import Asked, Question

__all__ = ["explain"]


def explain(asked: Asked, lowered: Lowered, settings: RunSettings) -> str:
    """Per result what is opened, to whom, public sizes and the error bound; for all of them rounds and bytes, under
    these settings.
    """
    lines: list[str] = []
    if isinstance(asked.what, Question):
        for index in range(len(asked.what.statistics)):
            lines += _statistic(asked, asked.what, index, lowered)
    return "\n".join(lines + _costs(lowered, settings))


def _statistic(asked: Asked, question: Question, index: int, lowered: Lowered) -> list[str]:
    statistic = question.statistics[index]
    rows = asked.rows(statistic.dataset)
    brought = ", ".join(f"{count} of {owner}" for owner, count in rows.owners.items())
    how = "shares of the parties" if rows.shared else "each owner aggregates its own and shares the aggregate"
    lines = [
        statistic.title,
        f"  rows: {rows.count} ({brought}), public; {how}",
        f"  opened: {statistic.discloses(rows)}",
    ]
    if any(item.statistic == index and isinstance(item.source, ValueType) for item in lowered.revealed):
        recipient = "the driver, where the parties' shares meet" if question.to == DRIVER else f"{question.to} alone"
        lines.append(f"  to: {recipient}")
    lines += [f"  {note}" for note in statistic.notes(rows)]
    lines.append(f"  result: {statistic.error_in_words(rows)}")
    if rows.policy is not None and rows.policy.min_rows > 1:
        lines.append(f"  policy: at least {rows.policy.min_rows} rows behind a revealed number")
    return lines


def _costs(lowered: Lowered, settings: RunSettings) -> list[str]:
    programs = [part.program for part in lowered.programs]
    if not programs:
        return ["cost: nothing is sent"]
    *first, last = programs
    total = Cost.free(len(last.parties))
    for program in first:
        total = total.beside(Stamped(program, settings).cost())
    total = total.then(Stamped(last, settings).cost())
    lines = [_inputs(program) for program in programs]
    lines += dict.fromkeys(line for program in programs for line in widths(program))
    lanes = f" in {len(first)} lanes, joined in the first" if first else ""
    opened = sum(item.source.count for item in lowered.revealed if isinstance(item.source, ValueType))
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
