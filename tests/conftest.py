"""What every test shares: the environment of Ray, the Hypothesis profiles, the reference data."""

import os

# Ray reads these when it is imported: no runtime environment derived from uv, no usage reports.
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Where several processes of pytest-xdist share the cores, one thread each for products of floats.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# Compilation and first use of a kernel make the first example slow: time is the business of pytest-timeout.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "local")

# Tests in these folders and files start processes, wait for time to pass, or fill disks and memory: no other test runs
# beside them. So do tests that need Ray or kill processes.
ALONE = (
    "tests/chaos",
    "tests/cluster",
    "tests/examples",
    "tests/preprocessing",
    "tests/runtime",
    "tests/transport",
    "tests/owner/test_delimited_threads.py",
    "tests/party/test_correction_prefetch.py",
    "tests/schedule/test_thread_pool.py",
)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    for item in items:
        here = any(item.path.is_relative_to(ROOT / place) for place in ALONE)
        if here or item.get_closest_marker("ray") or item.get_closest_marker("chaos"):
            item.add_marker("alone")


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
