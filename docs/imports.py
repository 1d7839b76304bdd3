"""Draw which room imports which, from the code as it is, into docs/architecture.md.

usage: python docs/imports.py           rewrite the picture
       python docs/imports.py --check   exit 1 where it is not that of the code
"""

import sys
from collections import defaultdict
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- imports -->\n", "<!-- /imports -->\n"
GROUND = {"errors", "names", "config", "policy", "payload", "profile"}
PACKAGES = ("icm_ray", "analytics", "cluster")


def room(module):
    """The room of a module: a package of the engine, its ground, or one of the packages above it."""
    package, _, rest = module.partition(".")
    inner = rest.split(".")[0]
    if package != "icm_ray":
        return f"{package}.nn" if inner == "nn" else package
    if inner == "runtime":
        part = rest.split(".")[1] if "." in rest else ""
        return f"runtime.{part}" if part else "runtime"
    return "ground" if inner in GROUND or not inner else inner


def arrows():
    """By room, the rooms that it imports."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True)
    found = defaultdict(set)
    for module in graph.modules - set(PACKAGES):  # what these offer is loaded from above when it is used
        for imported in graph.find_modules_directly_imported_by(module):
            if imported.split(".")[0] in PACKAGES and room(module) != room(imported):
                found[room(module)].add(room(imported))
    return found


def shortest(found):
    """Without arrows that follow from others, and without the ground, which everything stands on."""

    def reached(start):
        seen, ahead = set(), [start]
        while ahead:
            for other in found.get(ahead.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    ahead.append(other)
        return seen

    below = {name: reached(name) for name in found}
    for name, imported in found.items():
        implied = set().union(*(below.get(other, set()) for other in imported))
        yield from ((name, other) for other in sorted(imported - implied) if other != "ground")


def picture():
    lines = [f"  {name} --> {other}" for name, other in sorted(shortest(arrows()))]
    return "```mermaid\nflowchart TD\n" + "\n".join(lines) + "\n```\n"


def main():
    before, rest = PAGE.read_text().split(BEGIN)
    old, after = rest.split(END)
    new = picture()
    if "--check" in sys.argv:
        sys.exit(
            0 if new == old else "docs/architecture.md shows other imports than the code: run python docs/imports.py"
        )
    PAGE.write_text(before + BEGIN + new + END + after)


if __name__ == "__main__":
    main()
