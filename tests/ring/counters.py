"""Counters of seconds for clocks in tests."""


class Set:
    """Stands still until time is added."""

    def __init__(self):
        self.value = 0

    def add(self, seconds):
        self.value += seconds

    def __call__(self):
        return self.value


class Counting:
    """A second later at every reading."""

    def __init__(self):
        self.read = 0

    def __call__(self):
        self.read += 1
        return self.read
