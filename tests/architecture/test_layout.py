"""The layout that the house rules ask for, where neither ruff nor the import contract can see it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("icm_ray", "analytics", "cluster")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CHECKED = FILES + sorted(
    path for folder in ("tests", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)

LONGEST = 500
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")

# What may be imported where; a folder stands for everything beneath it, a file for itself.
ALLOWED = {
    "ray": ("icm_ray/runtime", "cluster"),
    "pandas": ("analytics",),
    "pyarrow": ("icm_ray/owner", "icm_ray/runtime", "analytics"),
    "torch": ("analytics/nn", "cluster/cli/digits_model.py"),
    "torch.nn": ("analytics/nn", "cluster/cli/digits_model.py"),
    "torch.export": ("analytics/nn",),
    "pickle": (),
    "cloudpickle": (),
}
# Loaded when used, not when the module is imported: a process that only plans does not pay for Numba.
LAZY = {"icm_ray.ring.gemm_kernel": "icm_ray"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """Every module that the nodes import, `torch.nn` also where it is written `from torch import nn`."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: functions and `if TYPE_CHECKING` left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from at_import(node)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("path", CHECKED, ids=name)
def test_no_file_is_too_long(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{name(path)} has {lines} lines: split it by idea"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_stay_in_their_place(path):
    found = imports(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    for package, places in ALLOWED.items():
        used = sorted(module for module in found if within(module, package))
        allowed = any(f"{name(path)}/".startswith(place + "/") for place in places)
        assert allowed or not used, f"{name(path)} imports {used[0]}; allowed in: {', '.join(places) or 'no place'}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_heavy_modules_are_imported_lazily(path):
    found = imports(at_import(ast.parse(path.read_text(encoding="utf-8"))))
    for package, where in LAZY.items():
        eager = sorted(module for module in found if within(module, package))
        assert not (eager and name(path).startswith(where + "/")), (
            f"{name(path)} imports {eager[0]} when it is imported"
        )


@pytest.mark.parametrize("path", FILES, ids=name)
def test_names_say_what_is_inside(path):
    parts = {part.removesuffix(".py").strip("_").lower() for part in path.relative_to(ROOT).parts}
    assert not parts & VAGUE, f"{name(path)}: name it after its idea"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_is_left_unfinished(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        assert not UNFINISHED.search(line), f"{name(path)}:{number}: {line.strip()}"


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package):
    assert (ROOT / package / "py.typed").is_file()


def test_every_folder_of_code_is_a_package():
    bare = sorted({name(path.parent) for path in FILES if not (path.parent / "__init__.py").is_file()})
    assert not bare, f"no __init__.py, so left out of the wheel: {', '.join(bare)}"


def test_every_folder_of_tests_is_a_package():
    """So that each module has one name, and two may be called alike."""
    folders = {path.parent for path in CHECKED if name(path).startswith("tests/")}
    assert not sorted(name(folder) for folder in folders if not (folder / "__init__.py").is_file())
