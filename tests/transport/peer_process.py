"""A peer in a process of its own, to be stopped and killed."""

import numpy as np

from icm_ray.ops.seams import Address, Frame
from icm_ray.transport import Endpoint, Identity, open_link


def echo(connection, endpoint, config, tls):
    """Dial `endpoint`, then send back every frame of job 1 until the link ends."""
    me = Identity.create("child")
    connection.send(Endpoint("child", "", 0, me.certificate))
    with open_link(me, None, endpoint, "to-child", True, config, tls) as link:
        word = np.zeros(1, np.uint64)
        for step in range(1_000_000):
            frame = Frame(Address(1, bytes(32), 0, 0), step)
            link.receive(frame, [word])
            link.send(frame, [word + np.uint64(1)])
