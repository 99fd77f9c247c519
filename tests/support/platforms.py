"""Marks for tests that need what Windows does not have."""

import os

import pytest

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals, file locks, pipes or links of POSIX systems")
NOT_SUPERUSER = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="permissions of folders do not hold for the superuser"
)
