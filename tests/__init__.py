"""Tests that lie as the package does: tests/jobs/ for sdedit/jobs/, and so on; what several share is in helpers/."""

import pytest

pytest.register_assert_rewrite("tests.helpers")
