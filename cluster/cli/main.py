"""The `icm` command."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from cluster.cli import audit, bench, demo, explain_code, health, instance, policy, predict, requests, results
from cluster.cli.terminal import printable
from icm_ray.errors import IcmError

__all__ = ["app", "main"]

_FAILED = 2
"""The exit status of a command that an error of the engine ended, as of one that was called wrongly."""

app = typer.Typer(no_args_is_help=True, add_completion=False)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"icm-ray {version('icm-ray')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say which release this is.")
    ] = False,
) -> None:
    """Secure analytics on shared data, distributed with Ray."""


app.command("demo")(demo.demo)
app.command("bench")(bench.bench)
app.command("predict")(predict.predict)
app.command("audit")(audit.audit)
app.command("help")(explain_code.explain_code)
app.add_typer(policy.app, name="policy")
instance.add_commands(app)
health.add_commands(app)
requests.add_commands(app)
results.add_commands(app)


def main() -> None:
    """Entry point of the installed command. An error of the engine ends it with one line and its code on stderr, and
    status 2.
    """
    try:
        app()
    except IcmError as error:
        sys.stderr.write(f"icm: {printable(' '.join(str(error).split()))} [{error.code}]\n")
        sys.exit(_FAILED)


if __name__ == "__main__":
    main()
