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
    "torch": (
        "analytics/nn",
        "cluster/cli/digits_model.py",
        "cluster/cli/lesions_model.py",
        "cluster/cli/training.py",
        "cluster/bench/networks.py",
    ),
    "torch.nn": (
        "analytics/nn",
        "cluster/cli/digits_model.py",
        "cluster/cli/lesions_model.py",
        "cluster/cli/training.py",
        "cluster/bench/networks.py",
    ),
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


def texts(paths: list[Path]) -> Iterator[tuple[str, str]]:
    return ((name(path), path.read_text(encoding="utf-8")) for path in paths)


@pytest.fixture(scope="module")
def imported() -> dict[str, tuple[set[str], set[str]]]:
    """By file: what it imports anywhere, and what when it is imported itself."""
    trees = ((path, ast.parse(text)) for path, text in texts(FILES))
    return {path: (imports(ast.walk(tree)), imports(at_import(tree))) for path, tree in trees}


def test_no_file_is_too_long():
    lines = {path: len(text.splitlines()) for path, text in texts(CHECKED)}
    long = {path: count for path, count in lines.items() if count > LONGEST}
    assert not long, f"split by idea: {long}"


def test_imports_stay_in_their_place(imported):
    for path, (found, _) in imported.items():
        for package, places in ALLOWED.items():
            used = sorted(module for module in found if within(module, package))
            allowed = any(f"{path}/".startswith(place + "/") for place in places)
            assert allowed or not used, f"{path} imports {used[0]}; allowed in: {', '.join(places) or 'no place'}"


def test_heavy_modules_are_imported_lazily(imported):
    for path, (_, found) in imported.items():
        for package, where in LAZY.items():
            eager = sorted(module for module in found if within(module, package))
            assert not (eager and path.startswith(where + "/")), f"{path} imports {eager[0]} when it is imported"


def test_names_say_what_is_inside():
    for path in FILES:
        parts = {part.removesuffix(".py").strip("_").lower() for part in path.relative_to(ROOT).parts}
        assert not parts & VAGUE, f"{name(path)}: name it after its idea"


def test_nothing_is_left_unfinished():
    for path, text in texts(FILES):
        for number, line in enumerate(text.splitlines(), start=1):
            assert not UNFINISHED.search(line), f"{path}:{number}: {line.strip()}"


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
