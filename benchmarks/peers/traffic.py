"""What CrypTen sends and waits for: counted between CrypTen and torch.distributed, in all three processes.

CrypTen's own statistics see neither the third party's answers nor which calls wait together.

bytes: payload that the three send; an all_reduce of s bytes is s from each of two parties.
rounds: calls between the parties that wait for one another; those that CrypTen puts into one batch are one.
requests: what the first party asks of the third, there and back one after another, between the rounds.
"""

THIRD = 2
ROUNDS, REQUESTS = THIRD + 1, THIRD + 2
PLACES = THIRD + 3  # of a tally: bytes that each process sent, rounds, requests


class Counted:
    """torch.distributed as CrypTen calls it, counting. tally: an array that the processes share."""

    def __init__(self, dist, rank, tally):
        self.dist, self.rank, self.tally = dist, rank, tally
        self.batched = False

    def __getattr__(self, name):
        return getattr(self.dist, name)

    def add(self, place, count):
        with self.tally.get_lock():
            self.tally[place] += count

    def round(self, asynchronous):
        """A call that waits, or the first of a batch: `Waiting` ends it."""
        if self.rank == 0 and not self.batched:
            self.add(ROUNDS, 1)
        self.batched = bool(asynchronous)

    def isend(self, tensor, dst, group=None):
        self.add(self.rank, tensor.nbytes)
        return self.dist.isend(tensor, dst=dst, group=group)

    def send(self, tensor, dst, group=None):
        self.add(self.rank, tensor.nbytes)
        self.round(False)
        return self.dist.send(tensor, dst, group=group)

    def recv(self, tensor, src=None, group=None):
        self.round(False)
        return self.dist.recv(tensor, src=src, group=group)

    def all_reduce(self, tensor, op, group=None, async_op=False):
        self.add(self.rank, tensor.nbytes)
        self.round(async_op)
        return self.wait(self.dist.all_reduce(tensor, op=op, group=group, async_op=async_op))

    def all_gather(self, tensors, tensor, group=None):
        self.add(self.rank, tensor.nbytes)
        self.round(False)
        return self.dist.all_gather(tensors, tensor, group=group)

    def broadcast(self, tensor, src, group=None, async_op=False):
        """To one receiver: between two parties, or from the third to the first."""
        if src == self.rank:
            self.add(self.rank, tensor.nbytes)
        if src == THIRD:
            self.add(REQUESTS, self.rank == 0)
        else:
            self.round(async_op)
        return self.wait(self.dist.broadcast(tensor, src, group=group, async_op=async_op))

    def wait(self, work):
        return work and Waiting(self, work)

    def refused(self, *_, **__):
        raise SystemExit("a call that is not counted")

    reduce = gather = scatter = refused


class Waiting:
    """The handle of a call in a batch; waiting for one ends the batch."""

    def __init__(self, counted, work):
        self.counted, self.work = counted, work

    def wait(self):
        self.counted.batched = False
        return self.work.wait()


def counting(rank, tally):
    """Put the counter in torch.distributed's place, in this process."""
    import torch.distributed
    from crypten.communicator import distributed_communicator
    from crypten.mpc.provider import ttp_provider

    distributed_communicator.dist = ttp_provider.dist = Counted(torch.distributed, rank, tally)


def counted(function, shared, tally):
    """The third party waits to be asked: between two barriers of the parties it sends for this workload alone."""
    import torch.distributed as dist
    from crypten import communicator

    parties = communicator.get().main_group
    dist.barrier(group=parties)
    before = list(tally)
    dist.barrier(group=parties)
    function(*shared)
    dist.barrier(group=parties)
    *sent, rounds, requests = (after - old for after, old in zip(tally, before, strict=True))
    dist.barrier(group=parties)
    return {"bytes": sum(sent), "sent": sent, "rounds": rounds, "requests": requests}
