"""Tests that lie as the package does: tests/jobs/ for sdedit/jobs/, and so on; what several share is in helpers/."""

import os

import pytest

# Read when torch is imported, here and in the processes that tests start: several run at once, one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
pytest.register_assert_rewrite("tests.helpers")
