"""Random programs over nearly all operations, and inputs for them: what blocks are held to whole operations by.

A program is a pure function of its seed; seeds in a row differ in rows, parties and owners, so that few cover them all.
"""

from dataclasses import dataclass, field

import msgspec
import numpy as np

from icm_ray.errors import IcmError
from icm_ray.ops import compare, groups, linear, products, sorting, wide
from icm_ray.ops.forms import Convolution, Elementwise, Matrix
from icm_ray.ops.products import Epilogue
from icm_ray.ops.values import FULL_WIDTH, Kind, ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings

PARTIES, OUTSIDER = ("alice", "bob", "carol"), "olga"
ROWS = (0, 1, 2, 3, 7, 63, 513, 600, 1025, 1537)
"""Few, and around the 512 values of a block of bits."""
COLUMNS = ((), (3,), (1,), (1,), (2, 5, 4), (2, 5, 4))
WHOLE = RunSettings(in_flight=1 << 40)
"""With which nothing is cut."""
_MOST = 20_000
"""Values that an operation takes which costs much for each."""
_WIDE_ROW = 16
"""Columns, or channels, up to which a row gets weights of its own."""
_HEAVY = (
    compare.ArgMax, compare.AtLeast, compare.CountAtLeast, compare.Maximum, compare.Select, groups.GroupCount,
    groups.GroupSum, groups.GroupTable, linear.Pad, products.OwnedProduct, products.Relu, sorting.ArgSort,
    sorting.Sort, sorting.SortBy,
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """program: every operation is whole under `WHOLE`. loads: of the fixed weights that it uses. brought: all inputs,
    by owner.
    """

    program: Program
    loads: Program
    brought: dict[str, dict[str, np.ndarray]]


@dataclass
class Drawing:
    """A program that is being drawn: operations on its last values, each in a way that may be refused."""

    rng: np.random.Generator
    rows: int
    parties: tuple[str, ...]
    owners: tuple[str, ...]
    brought: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    names: int = 0

    def __post_init__(self):
        self.builder = Builder(self.parties, self.owners)
        self.loads = Builder(self.parties, self.owners)
        self.brought = {name: {} for name in (*self.parties, *self.owners)}
        self.values = []

    def one_of(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def numbers(self, low, high, count):
        return tuple(int(value) for value in self.rng.integers(low, high, count))

    def number(self, low, high):
        return int(self.rng.integers(low, high))

    def words(self, top, shape):
        return np.asarray(self.rng.integers(-top, top, shape, endpoint=True), np.int64).view(np.uint64)

    def name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def fresh(self, shape, width=8, f=0):
        """An input over the whole range of its width."""
        owner, name = self.one_of(*self.parties, *self.owners), self.name("x")
        self.brought[owner][name] = self.words((1 << (width - 1)) - 1, shape)
        return self.builder.add(linear.Input(owner, name, ValueType(shape=shape, width=width, f=f)))

    def recent(self):
        """One of the last values, rather one with many numbers: a sum is soon at its end."""
        return max(self.one_of(*self.values[-6:]), self.one_of(*self.values[-6:]), key=lambda value: value.type.count)

    def like(self, x):
        """A value of the same shape and scale, maybe itself."""
        return self.one_of(*(y for y in self.values if (y.type.shape, y.type.f) == (x.type.shape, x.type.f)))

    def draw(self):
        for _ in range(self.number(1, 4)):
            columns = self.one_of(*COLUMNS, (min(self.rows, 7),))  # also squares, whose axes are as long as the rows
            self.values.append(self.fresh((self.rows, *columns), f=self.one_of(0, 2)))
        for _ in range(self.number(8, 24)):
            x = self.recent()
            try:
                op, inputs = self.one_of(*_OPERATIONS)(self, x)
                if isinstance(op, _HEAVY) and x.type.count > _MOST:
                    continue
                self.values.append(self.builder.add(op, *inputs))
            except IcmError:  # not on values of this type
                continue
        revealed = {len(self.values) - 1, *self.numbers(0, len(self.values), 3)}
        for at in sorted(at for at in revealed if self.values[at].type.kind is not Kind.BITS):
            self.builder.add(linear.Reveal(self.one_of(*self.parties, *self.owners), f"y{at}"), self.values[at])


def random_program(seed):
    """The program of that seed."""
    rows, seed_of_rest = ROWS[seed % len(ROWS)], seed // len(ROWS)
    owners = (OUTSIDER,) if seed_of_rest % 3 == 0 else ()
    drawing = Drawing(np.random.default_rng(seed), rows, PARTIES[: 2 + seed_of_rest % 2], owners)
    drawing.draw()
    return Drawn(drawing.builder.build(), drawing.loads.build(), drawing.brought)


def _constants(d, x, top):
    """One for each column, where they are not too many for a program."""
    return d.numbers(-top, top + 1, min(x.type.shape[-1], 2000))


def _permuted(d, x):
    axes = np.arange(len(x.type.shape))
    kept = d.one_of(0, 1, 1)  # often the rows
    return linear.Permute((*axes[:kept].tolist(), *d.rng.permutation(axes[kept:]).tolist())), [x]


def _sliced(d, x):
    def part(size):
        every = (0, size, 1)
        return d.one_of(every, every, every, (0, -1, 1), (1, size, 2), (-1, -size - 1, -1), (0, size + 5, 1))

    if d.one_of(False, True):
        return linear.Slice(((-1, -x.type.shape[0] - 1, -1), *((0, size, 1) for size in x.type.shape[1:]))), [x]
    return linear.Slice(tuple(part(size) for size in x.type.shape)), [x]


def _padded(d, x):
    columns = x.type.shape[1:]
    return linear.Pad((d.one_of((0, 0), (0, 0), (1, 2)), *(d.numbers(0, 2, 2) for _ in columns))), [x]


def _finish(d, x):
    width = min(FULL_WIDTH, x.type.width + d.number(0, 4))
    return d.one_of(
        products.Relu(Epilogue(relu=True, width=width)),
        products.Relu(Epilogue(shift=1, relu=True, width=d.one_of(32, FULL_WIDTH))),
        products.Truncate(Epilogue(shift=d.number(1, 3), width=width)),
    ), [x]


def _product(d, x):
    """Elementwise: as large as one another, or one of them a column, a row or without rows."""
    shape = x.type.shape
    of_y = d.one_of(None, None, (*shape[:-1], 1), (*shape[:-1], 1), (1, *shape[1:]), shape[1:])
    y = d.like(x) if of_y is None else d.fresh(of_y)
    return products.Product(Elementwise(), d.one_of(None, Epilogue(shift=1))), d.one_of([x, y], [y, x])


def _weighted(d, x):
    """A product with a fixed weight of a party, sometimes with a bias."""
    columns, images = x.type.shape[-1], len(x.type.shape) == 4
    if images:
        form, shape = Convolution((2, 2), (1, 1), (0, 1, 1, 0)), (4, x.type.shape[1], 2, 2)
    else:
        form = Matrix(transposed=d.one_of(False, True))
        shape = (4, columns) if form.transposed else (columns, 4)
    if (shape[1] if images else columns) > _WIDE_ROW:
        raise IcmError("the sum of so many weights is not within the gain")
    owner, key, biased = d.one_of(*d.parties), d.name("w"), d.one_of(False, True)
    op = products.OwnedProduct(
        owner,
        key,
        form,
        ValueType(shape=shape, width=4),
        gain=9,
        bias_bound=8 if biased else None,
        channel_axis=1 if images else len(x.type.shape) - 1,
        epilogue=d.one_of(None, Epilogue(shift=1), Epilogue(relu=True)),
    )
    bias = f"{key}-bias" if biased else None
    d.loads.add(products.LoadWeight(owner, key, key, op.weight, bias, 4))
    d.brought[owner] |= {key: d.words(7, shape), f"{key}-bias": d.words(7, 4)}
    raw = msgspec.structs.replace(op, epilogue=None).infer(x.type)
    if raw.f or d.one_of(True, True, False):
        return op, [x]
    return msgspec.structs.replace(op, added=True), [x, d.fresh(raw.shape)]


def _grouped(d, x):
    key = d.fresh(x.type.shape, width=3)
    return d.one_of(
        (groups.GroupCount(2), [key]),
        (groups.GroupSum(2, d.one_of(False, True)), [key, x]),
        (groups.GroupTable(5, d.one_of(False, True)), [key, d.fresh(x.type.shape, width=9), key]),
    )


_OPERATIONS = (
    lambda d, x: (linear.Add(), [x, d.like(x)]),
    lambda d, x: (linear.Subtract(), [x, d.like(x)]),
    lambda d, x: (linear.AddPublic(d.number(-50, 50)), [x]),
    lambda d, x: (linear.AddLast(_constants(d, x, 5)), [x]),
    lambda d, x: (linear.Scale(d.number(-3, 4), d.number(0, 2)), [x]),
    lambda d, x: (linear.ScaleLast(_constants(d, x, 3), 1), [x]),
    lambda d, x: (linear.Rescale(1), [x]),
    lambda d, x: (linear.AssumeWidth(x.type.width), [x]),
    lambda d, x: (linear.Sum(), [x]),
    lambda d, x: (linear.SumAxis(), [x]),
    lambda d, x: (linear.Take(len(x.type.shape) - 1, (0, 0)), [x]),
    lambda d, x: (linear.WindowSum((2, 2), (1, 1)), [x]),
    lambda d, x: (linear.Expand((*x.type.shape[:-1], 3)), [x]),
    lambda d, x: (linear.Expand((2, *x.type.shape)), [x]),
    lambda d, x: (linear.Reshape(d.one_of((x.type.count,), (x.type.shape[0], 1, *x.type.shape[1:]))), [x]),
    lambda d, x: (linear.Reshape((x.type.shape[0], int(np.prod(x.type.shape[1:])))), [x]),
    _permuted,
    _sliced,
    _padded,
    lambda d, x: (linear.Concatenate(d.number(0, len(x.type.shape))), [x, d.like(x)]),
    _finish,
    _finish,
    _product,
    _product,
    lambda d, x: (products.SumOfSquares(), [x]),
    _weighted,
    _weighted,
    lambda d, x: (compare.AtLeast(d.number(-5, 6), d.one_of(16, 32, FULL_WIDTH)), [x]),
    lambda d, x: (compare.CountAtLeast((-1, 0, 3), d.one_of(16, 32, FULL_WIDTH)), [x]),
    lambda d, x: (compare.Select(max(2, x.type.width)), [x, d.like(x)]),
    lambda d, x: (compare.Maximum(min(FULL_WIDTH, x.type.width + 1)), [x]),
    lambda d, x: (compare.ArgMax(min(FULL_WIDTH, x.type.width + 1)), [x]),
    lambda d, x: (d.one_of(sorting.Sort(), sorting.ArgSort()), [x]),
    lambda d, x: (sorting.SortBy(), [x, d.recent()]),
    _grouped,
    lambda d, x: (wide.SquareParts(3), [x]),
)
