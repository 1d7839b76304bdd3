"""Pages that a script makes: written, or with --check held against the code."""

from __future__ import annotations

import sys
from pathlib import Path


def keep(page: Path, made: str, script: str) -> None:
    """Write a page. With --check on the command line: exit with a message where it is another."""
    if "--check" not in sys.argv:
        page.write_text(made)
    elif page.read_text() != made:
        sys.exit(f"docs/{page.name} is not of this code: python docs/{Path(script).name}")
