"""Running the program of a command: messages, results and the list of files, as text or as one JSON object."""

from __future__ import annotations

import json
from typing import Any

import breastcls
from breastcls.cli.exit_statuses import ExitStatus
from breastcls.cli.expressions import source_of, value_of
from breastcls.cli.program import Program
from breastcls.cli.quiet_keras import import_keras_quietly
from breastcls.cli.terminal import Terminal


def run_program(program: Program, command: str, terminal: Terminal) -> int:
    """Run a program, write its results, and return the exit status."""
    names: dict[str, Any] = {"bc": breastcls}
    results: dict[str, Any] = {}
    files: dict[str, str] = {}
    status = int(ExitStatus.SUCCESS)
    if program.keras:
        import_keras_quietly()
    for statement in program.statements:
        if statement.message:
            terminal.note(statement.message)
        with terminal.listening():
            value = value_of(statement.expression, names)
        if statement.accept is not None:
            statement.accept(value)
        if len(statement.names) == 1:
            names[statement.names[0]] = value
        elif statement.names:
            names.update(zip(statement.names, value, strict=True))
        if statement.status is not None and not value:
            status = statement.status
        if statement.file:
            files[statement.file] = str(value)
        if statement.shown and terminal.json:
            results[source_of(statement.expression).removesuffix("()").replace(".", "_")] = value.to_dict()
        elif statement.shown:
            heading = f"{statement.heading}\n" if statement.heading else ""
            terminal.write(("\n" if results else "") + heading + str(value))
            results[source_of(statement.expression)] = None
    write_results(command, results, {**program.files, **files}, terminal, status)
    for line in program.closing:
        if not terminal.json:
            terminal.note(line)
    return status


def write_results(
    command: str, results: dict[str, Any], files: dict[str, str], terminal: Terminal, status: int = 0
) -> None:
    """Write the files that a command has written, or with `--json` everything as one object."""
    if terminal.json:
        terminal.write(json.dumps(_envelope(command, status, results, files, terminal), indent=2, allow_nan=False))
    elif files:
        width = max(map(len, files))
        shown = "\n".join(f"{what[0].upper() + what[1:]:{width}}  {path}" for what, path in files.items())
        terminal.write(("\n" if results else "") + shown)


def write_error(command: str, status: int, error: BaseException, message: str, terminal: Terminal) -> None:
    """Write an error: as a message, and with `--json` as JSON on standard output, too."""
    terminal.fail(message)
    if terminal.json:
        found = {"type": type(error).__name__, "message": message}
        values = {"command": command, "status": int(status), "error": found, "warnings": terminal.warnings}
        terminal.write(json.dumps(values, indent=2))


def _envelope(
    command: str, status: int, results: dict[str, Any], files: dict[str, str], terminal: Terminal
) -> dict[str, Any]:
    from breastcls.environment import describe_environment
    from breastcls.json_values import to_json_values

    return {
        "command": command,
        "status": status,
        "results": to_json_values(results),
        "files": files,
        "warnings": terminal.warnings,
        "environment": describe_environment(),
    }
