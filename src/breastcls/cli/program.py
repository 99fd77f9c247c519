"""The program of a command: statements over the public names of breastcls, which are run or printed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from breastcls.cli.expressions import Expression, name_expression, source_of


@dataclass(frozen=True)
class Statement:
    """One statement of a program.

    Attributes:
        expression: What is evaluated.
        names: The names that it is assigned to; none if it is evaluated for its effect.
        message: What the user reads on standard error before it runs, and a comment in the printed program.
        shown: Whether the value is a result, which is printed.
        heading: A line that is printed before a result.
        file: What the file or folder is that it writes and returns the path of, for the list of files; "" for none.
        status: The exit status of the process if the value is false; None for statements that end nothing.
        accept: Called with the value; may raise to end the program.
    """

    expression: Expression
    names: tuple[str, ...] = ()
    message: str = ""
    shown: bool = False
    heading: str = ""
    file: str = ""
    status: int | None = None
    accept: Callable[[Any], None] | None = None

    def source(self, *, as_json: bool) -> str:
        """Return the statement as Python source."""
        text = source_of(self.expression)
        if self.shown and self.heading and not as_json:
            text = f'print({source_of(self.heading)}, {text}, sep="\\n")'
        elif self.shown:
            text = f"print({text}.to_json())" if as_json else f"print({text})"
        if self.status is not None:
            text = f"raise SystemExit(0 if {text} else {self.status})"
        line = f"{', '.join(self.names)} = {text}" if self.names else text
        comment = textwrap.fill(self.message, 100, initial_indent="# ", subsequent_indent="# ")
        return f"{comment}\n{line}" if self.message else line


@dataclass
class Program:
    """The statements of a command, in order.

    Attributes:
        keras: Whether a statement needs Keras, which is then imported without its start-up messages.
        statements: The statements.
        files: Files that statements write besides those of `write`, with what they are.
        closing: Lines for the user after the results, on standard error.
    """

    keras: bool = False
    statements: list[Statement] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    closing: list[str] = field(default_factory=list)

    def assign(
        self, name: str, expression: Expression, message: str = "", accept: Callable[[Any], None] | None = None
    ) -> Expression:
        """Add `name = expression` and return the name."""
        self.statements.append(Statement(expression, (name,), message, accept=accept))
        return name_expression(name)

    def unpack(self, names: Sequence[str], expression: Expression, message: str = "") -> tuple[Expression, ...]:
        """Add `a, b = expression` and return the names."""
        self.statements.append(Statement(expression, tuple(names), message))
        return tuple(map(name_expression, names))

    def do(self, expression: Expression, message: str = "") -> None:
        """Add a statement that is evaluated for its effect."""
        self.statements.append(Statement(expression, message=message))

    def show(self, expression: Expression, heading: str = "") -> None:
        """Add `print(expression)`: a result, named by its expression in the JSON output."""
        self.statements.append(Statement(expression, shown=True, heading=heading))

    def write(self, what: str, expression: Expression, message: str = "") -> None:
        """Add a call that writes a file or folder and returns its path."""
        self.statements.append(Statement(expression, message=message, file=what))

    def exit_unless(self, condition: Expression, status: int) -> None:
        """End with an exit status unless a condition is true; the last statement."""
        self.statements.append(Statement(condition, status=status))

    def source(self, environment: dict[str, str], *, as_json: bool = False) -> str:
        """Return the program as Python source that gives the same result.

        Args:
            environment: Values of environment variables that have an effect on the result.
            as_json: Whether results are printed as JSON.
        """
        modules = ["import os"] if self.keras else []
        variables = environment if self.keras else {}
        lines = [f"os.environ[{source_of(name)}] = {source_of(value)}" for name, value in variables.items()]
        head = [*modules, *(["", "# TensorFlow reads these when it is imported."] if lines else []), *lines]
        body = [statement.source(as_json=as_json) for statement in self.statements]
        return "\n".join([*head, *([""] if head else []), "import breastcls as bc", "", *body])
