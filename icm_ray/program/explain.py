"""What a program does, for people: what is opened and to whom, public sizes, rounds, bytes, error."""

from __future__ import annotations

from icm_ray.ops.compare import Guard
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.products import OwnedProduct
from icm_ray.program.program import Program

__all__ = ["explain"]


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


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
        elif isinstance(op, Guard):
            lines.append(f"  opened to all parties: one flag, whether the checked bound of {op.what} was exceeded")
        elif isinstance(op, Reveal):
            lines.append(f"  opened to {op.to}: {op.name} ({shape}), error at most {kind.error:.3g}")
    lines.append(
        f"  {cost.rounds} rounds, at most {_bytes(max(cost.sent))} sent by a party, {_bytes(cost.dealt)} dealt"
    )
    return "\n".join(lines)
