"""The `icm` command."""

from __future__ import annotations

import typer

from cluster.cli import bench, demo

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Secure analytics on shared data, distributed with Ray."
)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)


def main() -> None:
    """Entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
