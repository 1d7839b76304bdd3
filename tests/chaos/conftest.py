"""Killing and stopping processes, and looking whether they are gone."""

import pytest

from tests.chaos.nursery import Nursery
from tests.chaos.organisations import Organisations
from tests.runtime.conftest import ray_cluster

__all__ = ["organisations", "ray_cluster"]


@pytest.fixture(scope="package")
def organisations(tmp_path_factory):
    """All instances serve before each test that has ended well."""
    root = tmp_path_factory.mktemp("organisations")
    with Nursery(root) as nursery, Organisations(root, nursery) as made:
        yield made
