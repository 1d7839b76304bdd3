"""What a program does, for people: what is opened and to whom, public sizes, rounds, bytes, error."""

from __future__ import annotations

from collections import defaultdict

from icm_ray.ops.catalogue import Operation
from icm_ray.ops.compare import CheckFlag
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.products import OwnedProduct
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.program import Program
from icm_ray.schedule.steps import cost_of

__all__ = ["explain", "widths"]


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def _width(op: Operation) -> int:
    """Bits of what the operation opens of a value, where it says so; 0 where it does not."""
    for place in (op, getattr(op, "epilogue", None), getattr(op, "edges", None)):
        if (width := getattr(place, "width", None)) is not None:
            return int(width)
    return 0


def widths(program: Program) -> list[str]:
    """What each kind of operation sends and deals for a value, and at how many bits: narrower values cost less."""
    types = program.types()
    found: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for node, kind in zip(program.nodes, types, strict=True):
        taken = [types[source] for source in node.inputs]
        cost = cost_of(node.op, taken, program.parties, kind)
        if isinstance(node.op, Reveal) or not taken or not (cost.rounds or cost.dealt):
            continue
        total = found[type(node.op).__name__, _width(node.op)]
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


def explain(program: Program, title: str = "program") -> str:
    """A short text: inputs and their public shapes, what is opened to whom, cost and error bound of each result."""
    types, cost = program.types(), program.cost()
    lines = [f"{title}: {len(program.nodes)} operations for {', '.join(program.parties)}"]
    for index, node in enumerate(program.nodes):
        op, kind = node.op, types[index]
        shape = "x".join(map(str, kind.shape)) or "1"
        if isinstance(op, Input):
            lines.append(f"  shared by {op.owner}: {op.name} ({shape}, public size)")
        elif isinstance(op, OwnedProduct):
            lines.append(
                f"  product with a weight that {op.owner} keeps: {'x'.join(map(str, op.weight.shape))}, public size"
            )
        elif isinstance(op, CheckFlag):
            lines.append(f"  opened to all parties: one flag, whether the checked bound of {op.what} was exceeded")
        elif isinstance(op, Reveal):
            lines.append(f"  opened to {op.to}: {op.name} ({shape}), error at most {kind.error:.3g}")
    lines += [f"  {line}" for line in widths(program)]
    lines.append(
        f"  {cost.rounds} rounds, at most {_bytes(max(cost.sent))} sent by a party, {_bytes(cost.dealt)} dealt"
    )
    return "\n".join(lines)
