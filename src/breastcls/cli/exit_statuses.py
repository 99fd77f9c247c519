"""The exit statuses of the command line."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses; each has one meaning, whatever the command."""

    SUCCESS = 0
    ERROR = 1
    LEAK = 2
    UNUSABLE_FILES = 3
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


MEANINGS = {
    ExitStatus.SUCCESS: "The command has succeeded.",
    ExitStatus.ERROR: "The command has failed; the message names the file or argument and what to do.",
    ExitStatus.LEAK: "`audit` has found a leak, or names that differ in spelling only.",
    ExitStatus.UNUSABLE_FILES: "`check` has found files that cannot be used, or identical copies.",
    ExitStatus.USAGE: "The command line or the settings file is wrong: an unknown option, a missing argument.",
    ExitStatus.BUG: "An unexpected error, which is a bug in breastcls; the traceback is printed.",
    ExitStatus.INTERRUPTED: "Ctrl-C. A command with `--resume` continues from what it has written.",
    ExitStatus.CLOSED_PIPE: "The program that reads the output, such as `head`, has ended.",
    ExitStatus.TERMINATED: "SIGTERM. A training with a run folder has written a checkpoint before it ended.",
}
"""What each exit status means; the table of the documentation."""
