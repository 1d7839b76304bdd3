"""Killing and stopping processes, and looking whether they are gone."""

from tests.runtime.conftest import ray_cluster

__all__ = ["ray_cluster"]
