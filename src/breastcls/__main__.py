"""`python -m breastcls` is the command line `breastcls`."""

from breastcls.cli.command_line import command_line

if __name__ == "__main__":
    command_line(prog_name="breastcls")
