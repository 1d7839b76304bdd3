"""Options that commands of an instance have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = ["HOME", "Home", "Json"]

HOME: Final = Path("~/.icm")
"""The folder where nobody names one."""
Home = Annotated[Path, typer.Option(envvar="ICM_HOME", help="the instance's folder")]
Json = Annotated[bool, typer.Option("--json", help="for machines")]
