"""The command line `breastcls`: each command is a short program of public calls, which it runs or prints.

There is nothing to import from here.
"""

__all__: list[str] = []
