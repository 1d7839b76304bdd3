"""The limits of a lane's links."""

from __future__ import annotations

from icm_ray.config import EngineConfig
from icm_ray.transport import TransportConfig

__all__ = ["transport_config"]


def transport_config(config: EngineConfig) -> TransportConfig:
    """The limits of a lane's links."""
    return TransportConfig(
        heartbeat=config.heartbeat,
        silence=config.silence,
        message_timeout=config.job_timeout,
        connect_timeout=min(30.0, config.start_timeout),
    )
