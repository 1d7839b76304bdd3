"""Makes docs/errors.md from the table of codes; a test holds the page to it. `make docs` has a page for each code.

usage: python docs/errors.py           rewrite the page
       python docs/errors.py --check   exit 1 where it is not that of the code
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icm_ray.error_codes import ErrorCode

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "errors.md"

_BACK = "\n[All codes](../errors.md)\n"
_HEAD = """\
# Error codes

<!-- made by docs/errors.py -->

Every error of the engine has a code that does not change: `error.code`, and in brackets at the end of what `icm` says.
`icm help E305` says what is here of a code, `except icm.InstanceError` catches it. The classes are one tree
([their reference](api/errors.md)).
"""


def page() -> str:
    """The index with a section for each code, as it lies in docs/."""
    return index(lambda code: f"#{code.lower()}") + "".join(f"\n## {item.code}\n\n{_text(item)}" for item in _codes())


def pages() -> dict[str, str]:
    """The same as `make docs` has it: by name in docs/, the index and a page for each code."""
    made = {
        f"errors/{item.code}.md": f"# {item.code}: {item.kind.__name__}\n\n{_text(item)}{_BACK}" for item in _codes()
    }
    return {PAGE.name: index(lambda code: f"errors/{code}.md"), **made}


def index(place: Callable[[str], str]) -> str:
    """All codes. place: where more is said of one."""
    rows = [f"| [{item.code}]({place(item.code)}) | `{item.kind.__name__}` | {item.says} |\n" for item in _codes()]
    return "".join((_HEAD, "\n| code | error | what happened |\n|---|---|---|\n", *rows))


def _codes() -> Sequence[ErrorCode]:
    from icm_ray.error_codes import CODES

    return CODES


def _text(item: ErrorCode) -> str:
    (_, says), *more = item.paragraphs
    base = item.kind.__mro__[1].__name__
    kind = f"`{item.kind.__name__}`{'' if base == 'Exception' else f', a kind of `{base}`'}."
    told = [f"**{what}.** {f'`{text}`' if what == 'Example' else text}" for what, text in more]
    return "\n\n".join((f"{kind} {says}", *told)) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    from docs.kept import keep

    keep(PAGE, page(), __file__)
