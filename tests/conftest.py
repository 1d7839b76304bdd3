"""What every test shares: the environment of Ray, the Hypothesis profiles, the reference data."""

import os

# Ray reads these when it is imported: no runtime environment derived from uv, no usage reports.
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# Compilation and first use of a kernel make the first example slow: time is the business of pytest-timeout.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "local")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of small real data sets and trained models: ICM_TEST_DATA, or ../shared/data next to the checkout.

    Without it the test is skipped, and the reason names the folder; in CI it fails.
    """
    folder = Path(os.environ.get("ICM_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no test data: {folder} is not a folder; set ICM_TEST_DATA to the one that holds it"
        if IN_CI:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return folder
