"""Makes docs/errors.md from the table of codes; a test holds the page to it.

usage: python docs/errors.py           rewrite the page
       python docs/errors.py --check   exit 1 where it is not that of the code
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "errors.md"

_HEAD = """\
# Error codes

<!-- made by docs/errors.py -->

Every error of the engine has a code that does not change: `error.code`, and in brackets at the end of what `icm` says.
`icm help E305` prints the section of a code, `except icm.InstanceError` catches it. The classes are one tree
([their reference](api/errors.md)).
"""


def page() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    from icm_ray.error_codes import CODES

    yield _HEAD
    yield "| code | error | what happened |"
    yield "|---|---|---|"
    for item in CODES:
        yield f"| [{item.code}](#{item.code.lower()}) | `{item.kind.__name__}` | {item.says} |"
    for item in CODES:
        base = item.kind.__mro__[1].__name__
        yield f"\n## {item.code}\n"
        yield f"`{item.kind.__name__}`{'' if base == 'Exception' else f', a kind of `{base}`'}. {item.says}\n"
        yield f"**Cause.** {item.cause}\n"
        yield f"**Remedy.** {item.remedy}"
    yield ""


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    from docs.kept import keep

    keep(PAGE, page(), __file__)
