"""The limits of a lane's links."""

from __future__ import annotations

from typing import Final

from icm_ray.config import EngineConfig
from icm_ray.transport import TransportConfig

__all__ = ["ANSWER_BYTES", "GIVEN_BYTES", "MEMBER_MESSAGE_BYTES", "ORDER_BYTES", "transport_config"]

ANSWER_BYTES: Final = 16 << 20
"""What a member may say to the driver beside results: reports, and the facts of a table of many partitions."""
ORDER_BYTES: Final = 2 * ANSWER_BYTES
"""What an order may weigh, and what came in one: a program, what it follows from, and facts that workers answered."""
GIVEN_BYTES: Final = 1 << 10
"""What the driver may say of an array before it sends it: its shape."""
MEMBER_MESSAGE_BYTES: Final = 1 << 12
"""What a member may say to another at once: a nonce, where a run begins, which slot follows. All take some hundred."""


def transport_config(config: EngineConfig) -> TransportConfig:
    """The limits of a lane's links."""
    return TransportConfig(
        heartbeat=config.heartbeat,
        silence=config.silence,
        message_timeout=config.job_timeout,
        connect_timeout=min(30.0, config.start_timeout),
    )
