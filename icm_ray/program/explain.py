"""What a program does, for people: what is opened and to whom, public sizes, rounds, bytes, error."""

from __future__ import annotations

from collections import defaultdict

from icm_ray.ops.catalogue import Edge, row_of
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.program import Program
from icm_ray.program.stamped import Stamped
from icm_ray.schedule.reads import with_reads
from icm_ray.schedule.steps import cost_of

__all__ = ["explain", "widths"]


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def widths(program: Program) -> list[str]:
    """What each kind of operation sends and deals for a value, and at how many bits: narrower values cost less."""
    types = program.types()
    found: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for node, kind in zip(with_reads(program.nodes, types), types, strict=True):
        taken = [types[source] for source in node.inputs]
        cost = cost_of(node.op, taken, program.parties, kind)
        row = row_of(node.op)
        if row.edge is Edge.REVEALED or not taken or not (cost.rounds or cost.dealt):
            continue
        total = found[type(node.op).__name__, row.width(node.op) if row.width is not None else 0]
        sizes = (max(item.count for item in (*taken, kind)), max(cost.sent), cost.dealt)
        total[:] = [before + more for before, more in zip(total, sizes, strict=True)]
    lines = []
    for (name, width), (count, sent, dealt) in found.items():
        at = f" at {width} of {FULL_WIDTH} bits" if width else ""
        lines.append(
            f"{name}{at}: {count} values, at most {sent / max(count, 1):.1f} B sent by a party and "
            f"{dealt / max(count, 1):.1f} B dealt for each"
        )
    return lines


def explain(stamped: Stamped, title: str = "program") -> str:
    """A short text: inputs and their public shapes, what is opened to whom, cost and error bound of each result."""
    program, cost = stamped.program, stamped.cost()
    types = program.types()
    lines = [f"{title}: {len(program.nodes)} operations for {', '.join(program.parties)}"]
    for node, kind in zip(program.nodes, types, strict=True):
        if (words := row_of(node.op).words) is not None:
            lines.append(f"  {words(node.op, kind)}")
    lines += [f"  {line}" for line in widths(program)]
    lines.append(
        f"  {cost.rounds} rounds, at most {_bytes(max(cost.sent))} sent by a party, {_bytes(cost.dealt)} dealt"
    )
    return "\n".join(lines)
