"""What every test shares: the environment of Ray, the Hypothesis profiles, the reference data."""

import gc
import os
from collections import defaultdict

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
# Where slow tests are left out, a test that does not say how many draws fewer each time.
settings.register_profile("quick", settings.get_profile("ci" if IN_CI else "local"), max_examples=15)

# Tests in these folders and files kill processes, hold the interpreter, count threads, or measure how soon something is
# noticed: no other test runs beside them. So do tests that need Ray.
ALONE = (
    "tests/chaos",
    "tests/runtime/test_beset.py",
    "tests/runtime/test_cut_links.py",
    "tests/runtime/test_ending.py",
    "tests/runtime/test_held_driver.py",
    "tests/transport",
)
# Here a process that a test starts has a Ray of its own, and nothing is timed: unless slow, it needs not be alone.
WITH_OWN_RAY = ("tests/examples", "tests/instance/test_two_clusters.py", "tests/security/test_ray_sees_nothing.py")
# Where there may be tests that need Ray.
WITH_RAY = ("tests/chaos", "tests/runtime", *WITH_OWN_RAY)


def _within(path, places):
    return any(path.is_relative_to(ROOT / place) for place in places)


def pytest_configure(config):
    if "not slow" in config.option.markexpr:
        settings.load_profile("quick")


def pytest_addoption(parser):
    parser.addoption("--alone", action="store_true", help="look only where there are tests that run alone")


def pytest_ignore_collect(collection_path, config):
    if config.getoption("--alone") and collection_path.suffix == ".py":
        return None if _within(collection_path, ALONE + WITH_RAY) else True
    return None


def _leave_few(items):
    """Of the cases of a test marked `few(n)`, n are quick, evenly spread over them all, and the others slow."""
    cases = defaultdict(list)
    for item in items:
        if item.get_closest_marker("few") and not item.get_closest_marker("slow"):
            cases[item.path, item.cls, item.originalname].append(item)
    for of_one in cases.values():
        (count,) = of_one[0].get_closest_marker("few").args
        quick = {place * len(of_one) // count for place in range(count)}
        for place, item in enumerate(of_one):
            if place not in quick:
                item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    paths = {item.path for item in items}
    alone, with_ray, with_own_ray = (
        {path for path in paths if _within(path, places)} for places in (ALONE, WITH_RAY, WITH_OWN_RAY)
    )
    _leave_few(items)
    for item in items:
        if item.get_closest_marker("ray") and item.path not in with_ray:
            raise pytest.UsageError(f"{item.nodeid} needs Ray: let tests/conftest.py say so of its file")
        beside_others = item.path in with_own_ray and not item.get_closest_marker("slow")
        if item.path in alone or (item.get_closest_marker("ray") and not beside_others):
            item.add_marker("alone")
    # They mostly wait: others run beside them, which they would not at the end, where one process has nothing left.
    items.sort(key=lambda item: item.path not in with_own_ray)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """All that is imported and collected stays: nobody looks for garbage in it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish():
    """What was imported and collected stays: the collector of garbage need not look at it again and again.

    Nor need it look at what a test has made after every 700 objects: that takes an eighth of all tests' time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="module")
def derived_once():
    """Members of one process work out each program once, all together: for tests that have nothing to show of that."""
    from tests.analytics.derived_once import derive_once

    with pytest.MonkeyPatch.context() as patch:
        derive_once(patch)
        yield


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
