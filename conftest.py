"""What all tests share. In CI a skipped test has failed: there, no part may be missing."""

import os
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("headrace", deadline=None, derandomize=True)  # a busy machine is no failure, and a failure comes again
settings.load_profile("headrace")

pytest_plugins = ["headrace.testing.fixtures"]


def strict(report: Any) -> Any:
    """The report, failed if it was skipped in CI. What the conformance kit skips is no missing part: the value declares not to do it."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        where, line, reason = report.longrepr
        if "conformance" not in os.path.normpath(where).split(os.sep):
            report.outcome = "failed"
            report.longrepr = f"{where}:{line}: {reason} (in CI nothing is skipped: install what is missing)"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """A test that is skipped."""
    return strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """A file that is skipped whole."""
    return strict((yield))
