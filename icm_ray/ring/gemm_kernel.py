"""The blocked product over Z_2^64 behind `gemm`: one kernel for matrices and for convolutions.

A convolution is the product of the weights with a matrix whose column is one output pixel and whose row is one word of
its window. That matrix is never made: panels of it, a block of the size of a cache at a time, are packed straight from
the images (implicit im2col; Chetlur et al. 2014). A matrix product is the case of one image of one row and a window of
one word. The order of loops and blocks is that of Goto and van de Geijn (2008).

Arrays come as addresses with strides in words, so that one compiled signature serves all of them.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import compiled
from icm_ray.ring.vectors import MACHINE, copy_lanes, copy_vector, load, merge_lanes, store, tile, transpose

__all__ = ["DEEP", "ROWS", "WIDE", "WIDTH", "narrow", "product", "scratch_words"]

_LANES, _ROWS, _VECTORS, _SHORT, _ = MACHINE
WIDTH = _LANES * _VECTORS
"""Columns of a tile."""
DEEP = 512
"""Rows of a panel: the fewer blocks, the fewer sums into the result."""
ROWS = 72
"""Rows of A packed at a time, for the second-level cache with room for B's panel; a multiple of a tile's."""
WIDE = 512
"""Columns packed at a time, for the cache of the third level."""
_RUN = 8
"""Vectors copied along a row before the next row is visited."""
_BYTES = 8
_ALL = np.uint8((1 << _LANES) - 1)

_FULL, _FULL_SLIM = tile(_ROWS, _VECTORS), tile(_ROWS, 1)
_HALF, _HALF_SLIM = tile(8, _VECTORS), tile(8, 1)
_LOW, _LOW_SLIM = tile(4, _VECTORS), tile(4, 1)
_SINGLE, _SINGLE_SLIM = tile(1, _VECTORS), tile(1, 1)
_FULL_SHORT, _HALF_SHORT, _LOW_SHORT = (tile(rows, _VECTORS, _SHORT) for rows in (_ROWS, min(_ROWS, 8), 4))


@compiled
def _multiply(a, b, depth, c0, c1, step, add, short, rows, vectors):  # type: ignore[no-untyped-def]
    """The smallest micro-kernel that covers a tile; where `short`, one of low bits, if there is one for most tiles."""
    if _SHORT and short and vectors == _VECTORS and rows > 1:
        if _ROWS > 8 and rows > 8:
            _FULL_SHORT(a, b, depth, c0, c1, step, add)
        elif _ROWS > 4 and rows > 4:
            _HALF_SHORT(a, b, depth, c0, c1, step, add)
        else:
            _LOW_SHORT(a, b, depth, c0, c1, step, add)
    elif vectors == _VECTORS:
        if _ROWS > 8 and rows > 8:
            _FULL(a, b, depth, c0, c1, step, add)
        elif _ROWS > 4 and rows > 4:
            _HALF(a, b, depth, c0, c1, step, add)
        elif rows > 1:
            _LOW(a, b, depth, c0, c1, step, add)
        else:
            _SINGLE(a, b, depth, c0, c1, step, add)
    elif _ROWS > 8 and rows > 8:
        _FULL_SLIM(a, b, depth, c0, c1, step, add)
    elif _ROWS > 4 and rows > 4:
        _HALF_SLIM(a, b, depth, c0, c1, step, add)
    elif rows > 1:
        _LOW_SLIM(a, b, depth, c0, c1, step, add)
    else:
        _SINGLE_SLIM(a, b, depth, c0, c1, step, add)


@compiled
def _pack_rows(a, strides, rows, depth, packed):  # type: ignore[no-untyped-def]
    """Panels of _ROWS rows of A, column by column, zeros below the last row."""
    across, along = strides
    for panel in range(-(-rows // _ROWS)):
        first = panel * _ROWS
        count = min(_ROWS, rows - first)
        source = a + first * across * _BYTES
        target = packed + panel * _ROWS * depth * _BYTES
        done = 0
        if along == 1 and count == _ROWS:
            done = depth - depth % _LANES
            for k in range(0, done, _LANES):
                # squares side by side; the last one overlaps its neighbour where they do not fill the panel
                for i in range(0, _ROWS, _LANES):
                    row = min(i, _ROWS - _LANES)
                    transpose(source + (row * across + k) * _BYTES, across, target + (k * _ROWS + row) * _BYTES, _ROWS)
        for k in range(done, depth):
            for i in range(count):
                store(load(source, i * across + k * along), target, k * _ROWS + i)
            for i in range(count, _ROWS):
                store(np.uint64(0), target, k * _ROWS + i)


@compiled
def _columns(first, count, pixels, sizes, windows, strides, outs, tables):  # type: ignore[no-untyped-def]
    """Describe columns `first` to `first` + `count`: where their words come from, where their sums go.

    A segment is a run of lanes in one vector whose pixels lie side by side in an image: base is the word that lane 0
    would read for the window's first word; (rows, lanes) say where the window lies inside the image.
    """
    starts, bases, rows, lanes, places, straight = tables
    height, width = sizes
    kernel, step, padding, dilation = windows
    across = step[1] * strides[3]
    per_image = pixels[0] * pixels[1]
    image, inside = divmod(first, per_image)
    row, column = divmod(inside, pixels[1])
    segment = -1
    for j in range(count):
        lane = j % _LANES
        if lane == 0:
            starts[j // _LANES] = segment + 1
        y, x = row * step[0] - padding[0], column * step[1] - padding[1]
        if lane == 0 or column == 0 or across != 1:
            segment += 1
            bases[segment] = image * strides[0] + y * strides[2] + x * strides[3] - lane
            for i in range(kernel[0]):
                rows[segment, i] = _ALL if 0 <= y + i * dilation[0] < height else 0
            for i in range(kernel[1]):
                lanes[segment, i] = 0
        for i in range(kernel[1]):
            if 0 <= x + i * dilation[1] < width:
                lanes[segment, i] |= np.uint8(1 << lane)
        places[j] = image * outs[0] + row * outs[2] + column * outs[3]
        column += 1
        if column == pixels[1]:
            column, row = 0, row + 1
            if row == pixels[0]:
                row, image = 0, image + 1
    starts[-(-count // _LANES)] = segment + 1
    for vector in range(-(-count // _LANES)):
        whole = (vector + 1) * _LANES <= count
        for j in range(vector * _LANES + 1, min((vector + 1) * _LANES, count)):
            whole = whole and places[j] - places[j - 1] == 1
        straight[vector] = whole


@compiled
def _taps(first, depth, windows, strides, taps):  # type: ignore[no-untyped-def]
    """Row first + k of the matrix of windows: its distance in words from the window's first, and its place."""
    kernel, _, _, dilation = windows
    offsets, row_of, column_of = taps
    channel, inside = divmod(first, kernel[0] * kernel[1])
    row, column = divmod(inside, kernel[1])
    for k in range(depth):
        offsets[k] = channel * strides[1] + row * dilation[0] * strides[2] + column * dilation[1] * strides[3]
        row_of[k], column_of[k] = row, column
        column += 1
        if column == kernel[1]:
            column, row = 0, row + 1
            if row == kernel[0]:
                row, channel = 0, channel + 1


@compiled
def _within(segment, tables):  # type: ignore[no-untyped-def]
    """Whether every word of the windows of a whole vector lies inside the image."""
    _, _, rows, lanes, _, _ = tables
    mask = _ALL
    for i in range(rows.shape[1]):
        mask &= rows[segment, i]
    for i in range(lanes.shape[1]):
        mask &= lanes[segment, i]
    return mask == _ALL


@compiled
def _pack_run(source, vectors, taps, depth, target):  # type: ignore[no-untyped-def]
    """Whole vectors side by side, the first of them the first of its panel, row after row."""
    for k in range(depth):
        word, place = source + taps[0][k] * _BYTES, target + k * WIDTH * _BYTES
        for vector in range(vectors):
            beside = vector // _VECTORS * WIDTH * depth + vector % _VECTORS * _LANES
            copy_vector(word + vector * _LANES * _BYTES, place + beside * _BYTES)


@compiled
def _pack_segment(source, segment, fresh, tables, taps, depth, target):  # type: ignore[no-untyped-def]
    """Lanes that lie side by side; zeros outside the image, and in the vector's other lanes where it is fresh."""
    _, _, rows, lanes, _, _ = tables
    offsets, row_of, column_of = taps
    if _within(segment, tables):
        for k in range(depth):
            copy_vector(source + offsets[k] * _BYTES, target + k * WIDTH * _BYTES)
        return
    for k in range(depth):
        mask = np.uint64(rows[segment, row_of[k]] & lanes[segment, column_of[k]])
        if fresh:
            copy_lanes(source + offsets[k] * _BYTES, mask, target + k * WIDTH * _BYTES)
        else:
            merge_lanes(source + offsets[k] * _BYTES, mask, target + k * WIDTH * _BYTES)


@compiled
def _pack_lanes(source, first, last, across, adjacent, tables, taps, depth, target):  # type: ignore[no-untyped-def]
    """One vector whose lanes are segments of their own, `across` words apart within a row of the image."""
    _, bases, rows, lanes, _, _ = tables
    offsets, row_of, column_of = taps
    done = 0
    if adjacent and last - first == _LANES:
        beside = True
        for lane in range(1, _LANES):
            beside = beside and bases[first + lane] + lane == bases[first] + lane * across
        if beside:
            done = depth - depth % _LANES
            for k in range(0, done, _LANES):
                word = source + (bases[first] + offsets[k]) * _BYTES
                transpose(word, across, target + k * WIDTH * _BYTES, WIDTH)
    for lane in range(_LANES):
        segment = min(first + lane, last - 1)
        base = source + (bases[segment] + lane) * _BYTES
        for k in range(done, depth):
            inside = first + lane < last and rows[segment, row_of[k]] & lanes[segment, column_of[k]] != 0
            store(load(base, offsets[k]) if inside else np.uint64(0), target, k * WIDTH + lane)


@compiled
def _pack_columns(images, count, depth, windows, strides, tables, taps, packed):  # type: ignore[no-untyped-def]
    """Panels of WIDTH columns of the matrix of windows, row by row; lanes beyond the last column are zero."""
    starts, bases, _, _, _, _ = tables
    kernel, step, _, _ = windows
    single = kernel[0] == 1 and kernel[1] == 1
    across = step[1] * strides[3]
    vectors = -(-count // _LANES)
    vector = 0
    while vector < vectors:
        first, last = starts[vector], starts[vector + 1]
        place = vector // _VECTORS * WIDTH * depth + vector % _VECTORS * _LANES
        target = packed + place * _BYTES
        vector += 1
        if across != 1:
            # one word of every window, the next channel's beside it, none of it outside: the transpose of a matrix
            adjacent = single and strides[1] == 1 and _inside(first, last, tables)
            _pack_lanes(images, first, last, across, adjacent, tables, taps, depth, target)
            continue
        source = images + bases[first] * _BYTES
        run = 1
        if single and place % (WIDTH * depth) == 0 and _within(first, tables):
            while run < _RUN and vector < vectors:
                segment = starts[vector]
                if not _within(segment, tables) or bases[segment] != bases[first] + run * _LANES:
                    break
                run += 1
                vector += 1
        if run > 1:
            _pack_run(source, run, taps, depth, target)
            continue
        for segment in range(first, last):
            source = images + bases[segment] * _BYTES
            _pack_segment(source, segment, segment == first, tables, taps, depth, target)


@compiled
def _inside(first, last, tables):  # type: ignore[no-untyped-def]
    """Whether no window of the segments, of one word each, lies outside the image."""
    _, _, rows, lanes, _, _ = tables
    for segment in range(first, last):
        if rows[segment, 0] & lanes[segment, 0] == 0:
            return False
    return True


@compiled
def _deliver(held, rows, first, count, out, step, places, add):  # type: ignore[no-untyped-def]
    """Copy a tile, or add it, to words that do not lie side by side."""
    for i in range(rows):
        for j in range(count):
            place = places[first + j] + i * step
            word = load(held, i * WIDTH + j)
            store(word + load(out, place) if add else word, out, place)


@compiled
def _tiles(packed_a, packed_b, rows, count, depth, out, step, places, straight, held, add, short):  # type: ignore[no-untyped-def]
    """All tiles of one packed block of A and one of B."""
    for first in range(0, count, WIDTH):
        vectors = min(_VECTORS, -(-(count - first) // _LANES))
        whole = True
        for vector in range(first // _LANES, first // _LANES + vectors):
            whole = whole and straight[vector]
        b = packed_b + first * depth * _BYTES
        for top in range(0, rows, _ROWS):
            a = packed_a + top * depth * _BYTES
            low = min(_ROWS, rows - top)
            corner = out + top * step * _BYTES
            if whole and low in (_ROWS, 8, 4, 1):
                c0 = corner + places[first] * _BYTES
                c1 = corner + places[first + (vectors - 1) * _LANES] * _BYTES
                _multiply(a, b, depth, c0, c1, step, add, short, low, vectors)
            else:
                _multiply(a, b, depth, held, held + _LANES * _BYTES, WIDTH, 0, short, low, vectors)
                _deliver(held, low, first, min(WIDTH, count - first), corner, step, places, add)


@compiled
def _block(size, most, step):  # type: ignore[no-untyped-def]
    """Equal blocks of at most `most`, a multiple of `step`, rather than full ones and a small rest."""
    count = -(-size // most)
    return min(most, -(-size // (count * step)) * step)


def scratch_words(rows: int, inner: int, columns: int) -> int:
    """Words of scratch that `product` asks for: 2.5 MB at most."""
    deep = min(DEEP, inner + _LANES)
    wide = min(WIDE, columns + WIDTH)
    return deep * (min(ROWS, rows + _ROWS) + wide) + _ROWS * WIDTH + 8


@compiled
def product(a, a_strides, images, strides, out, outs, shape, sizes, pixels, windows, columns, add, short, scratch):  # type: ignore[no-untyped-def]
    """out = A W, or out += A W where `add` is not zero, for the columns from columns[0] to columns[1].

    short: its low 52 bits alone need be right.

    a: (groups * rows, inner) words, a_strides; images: (batch, channels, height, width), strides; out: (batch, groups *
    rows, *pixels), outs; W: (inner, batch * pixels), the windows. shape: (groups, rows, inner); sizes: (height, width);
    windows: kernel, stride, top and left padding, dilation; scratch: the address of `scratch_words`.
    """
    groups, height, inner = shape
    kernel = windows[0]
    per_group = inner // (kernel[0] * kernel[1])
    deep, high = _block(inner, DEEP, _LANES), _block(height, ROWS, _ROWS)
    taps = (np.empty(deep, np.int64), np.empty(deep, np.int64), np.empty(deep, np.int64))
    held = (scratch + 63) // 64 * 64
    packed_a = held + _ROWS * WIDTH * _BYTES
    packed_b = packed_a + deep * high * _BYTES
    most = min(WIDE, columns[1] - columns[0])
    tables = (
        np.empty(-(-most // _LANES) + 1, np.int64),
        np.empty(most, np.int64),
        np.empty((most, kernel[0]), np.uint8),
        np.empty((most, kernel[1]), np.uint8),
        np.empty(most, np.int64),
        np.empty(-(-most // _LANES), np.bool_),
    )
    for first in range(columns[0], columns[1], WIDE):
        count = min(WIDE, columns[1] - first)
        _columns(first, count, pixels, sizes, windows, strides, outs, tables)
        for group in range(groups):
            source = images + group * per_group * strides[1] * _BYTES
            weights = a + group * height * a_strides[0] * _BYTES
            target = out + group * height * outs[1] * _BYTES
            for k in range(0, inner, deep):
                depth = min(deep, inner - k)
                _taps(k, depth, windows, strides, taps)
                _pack_columns(source, count, depth, windows, strides, tables, taps, packed_b)
                more = 1 if add or k else 0
                for top in range(0, height, high):
                    rows = min(high, height - top)
                    corner = weights + (top * a_strides[0] + k * a_strides[1]) * _BYTES
                    _pack_rows(corner, a_strides, rows, depth, packed_a)
                    place = target + top * outs[1] * _BYTES
                    _tiles(
                        packed_a, packed_b, rows, count, depth, place, outs[1], tables[4], tables[5], held, more, short
                    )


@compiled
def narrow(a, a_strides, b, b_strides, out, outs, shape, add):  # type: ignore[no-untyped-def]
    """out = a b, or out += a b, for few rows or few words: no packing; shape: (rows, inner, columns)."""
    rows, inner, columns = shape
    sums = np.empty(512, np.uint64)
    if b_strides[1] == 1:
        for first in range(0, columns, sums.size):
            count = min(sums.size, columns - first)
            for i in range(rows):
                sums[:count] = 0
                for k in range(inner):
                    word = load(a, i * a_strides[0] + k * a_strides[1])
                    row = b + (k * b_strides[0] + first) * _BYTES
                    for j in range(count):
                        sums[j] += word * load(row, j)
                for j in range(count):
                    place = i * outs[0] + (first + j) * outs[1]
                    store(sums[j] + load(out, place) if add else sums[j], out, place)
        return
    for i in range(rows):
        row = a + i * a_strides[0] * _BYTES
        for j in range(columns):
            column = b + j * b_strides[1] * _BYTES
            total = np.uint64(0)
            if a_strides[1] == 1 and b_strides[0] == 1:
                for k in range(inner):
                    total += load(row, k) * load(column, k)
            else:
                for k in range(inner):
                    total += load(row, k * a_strides[1]) * load(column, k * b_strides[0])
            place = i * outs[0] + j * outs[1]
            store(total + load(out, place) if add else total, out, place)
