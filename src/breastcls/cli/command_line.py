"""The command `breastcls` with its commands, and how it ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click
from typing_extensions import override

from breastcls._version import __version__
from breastcls.cli.argument_hints import name_options
from breastcls.cli.commands.audit_command import audit
from breastcls.cli.commands.backbones_command import backbones
from breastcls.cli.commands.check_command import check
from breastcls.cli.commands.compare_command import compare
from breastcls.cli.commands.cross_validate_command import cross_validate
from breastcls.cli.commands.demo_command import demo
from breastcls.cli.commands.evaluate_command import evaluate
from breastcls.cli.commands.explain_command import explain
from breastcls.cli.commands.export_command import export
from breastcls.cli.commands.init_command import init
from breastcls.cli.commands.predict_command import predict
from breastcls.cli.commands.recipes_command import recipes
from breastcls.cli.commands.report_command import report
from breastcls.cli.commands.split_command import split
from breastcls.cli.commands.train_command import train
from breastcls.cli.exit_statuses import ExitStatus
from breastcls.cli.run_program import write_error
from breastcls.cli.terminal import Terminal
from breastcls.errors import BreastclsError


class CommandLine(click.Group):
    """The group of all commands; it turns errors into messages and exit statuses."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        # In the order of use, as they are registered.
        return list(self.commands)

    @override
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; end the process with its exit status, or return that without `standalone_mode`."""
        given = list(sys.argv[1:] if args is None else args)
        # Errors may occur before the options are read.
        terminal = Terminal(json="--json" in given, traceback="--traceback" in given)
        try:
            status = super().main(
                given, prog_name or "breastcls", complete_var, standalone_mode=False, obj=terminal, **extra
            )
        except click.UsageError as error:
            command = next((word for word in given if word in self.commands), "")
            status = ExitStatus.USAGE
            write_error(command, status, error, _describe_usage(error), terminal)
        status = int(status or ExitStatus.SUCCESS)
        if standalone_mode:
            sys.exit(status)
        return status

    @override
    def invoke(self, ctx: click.Context) -> int:
        """Run a command and return its exit status; write errors of the library, and others as bugs."""
        terminal = ctx.ensure_object(Terminal)
        error: BaseException
        try:
            status = ExitStatus(super().invoke(ctx) or 0)
            sys.stdout.flush()
            return status
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            # Python would write an error when it flushes the stream at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitStatus.CLOSED_PIPE
        except KeyboardInterrupt as caught:
            command = self.commands.get(ctx.invoked_subcommand or "")
            status, error = ExitStatus.INTERRUPTED, caught
            message = f"Interrupted. {getattr(command, 'resumption', '')}".rstrip()
        except SystemExit as caught:
            # By `fit` after SIGTERM.
            if caught.code != ExitStatus.TERMINATED:
                raise
            command = self.commands.get(ctx.invoked_subcommand or "")
            status, error = ExitStatus.TERMINATED, caught
            message = f"Terminated. {getattr(command, 'resumption', '')}".rstrip()
        except BreastclsError as caught:
            command = self.commands.get(ctx.invoked_subcommand or "")
            status, error, message = ExitStatus.ERROR, caught, name_options(str(caught), command)
        except Exception as caught:
            status, error = ExitStatus.BUG, caught
            message = f"{type(caught).__name__}: {caught}\nThis is a bug in breastcls; please report it."
        if status is ExitStatus.BUG or (terminal.traceback and status is ExitStatus.ERROR):
            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        write_error(ctx.invoked_subcommand or "", status, error, message, terminal)
        return status


def _describe_usage(error: click.UsageError) -> str:
    usage = error.ctx
    hint = f"\nSee `{usage.command_path} --help`." if usage is not None else ""
    return f"{error.format_message()}{hint}"


@click.group(
    cls=CommandLine,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`breastcls COMMAND --help` describes the options of a command. breastcls is not a medical device.",
)
@click.version_option(__version__, message="%(version)s")
@click.pass_context
def command_line(context: click.Context) -> None:
    """Train, evaluate and explain classifiers of breast histology images, with case-wise splits."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


# In the order in which they are used.
for _command in (
    demo,
    check,
    audit,
    split,
    train,
    cross_validate,
    evaluate,
    report,
    predict,
    explain,
    compare,
    export,
    backbones,
    recipes,
    init,
):
    command_line.add_command(_command)
