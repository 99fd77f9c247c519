"""`breastcls backbones`: the backbones with their licences."""

from __future__ import annotations

import click

from breastcls.cli.command import ProgramCommand
from breastcls.cli.expressions import bc
from breastcls.cli.program import Program


@click.command("backbones", cls=ProgramCommand, keras=False, short_help="List the backbones and their licences.")
def backbones(program: Program) -> None:
    """List the backbones with input size, published weights and the licence of the weights."""
    program.show(program.assign("backbones", bc.list_backbones()))
