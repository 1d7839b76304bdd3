"""The chart of the comparison, as SVG: each peer's time over icm-ray's, on a logarithmic axis."""

from math import ceil, floor, log10

COLOURS = {"SPU": "#5c677d", "CrypTen": "#e07a1f"}
OWN, INK, GREY, GRID = "#0b7285", "#212529", "#6c757d", "#dee2e6"
LEFT, WIDTH, RIGHT = 158, 520, 62  # of names, of bars, of the last labels
TOP, BAR, GAP = 74, 13, 11


def chart(ratios):
    """ratios: by workload, by peer: the peer's seconds over icm-ray's. Returns the SVG's text."""
    every = [ratio for row in ratios.values() for ratio in row.values()]
    low, high = floor(min(0, log10(min(every)))), max(ceil(log10(max(every))), 1)

    def place(ratio):
        return LEFT + WIDTH * (log10(ratio) - low) / (high - low)

    bars, y = [], TOP + GAP
    for name, row in ratios.items():
        bars.append(text(LEFT - 10, y + len(row) * BAR / 2 + 4, name, INK, "end"))
        for peer, ratio in row.items():
            bars.append(bar(place(1), place(ratio), y, COLOURS[peer]))
            bars.append(label(place(ratio), y, ratio))
            y += BAR
        y += GAP
    axis = [tick(place(10.0**power), y, power) for power in range(low, high + 1)]
    line = f'<line x1="{place(1):.1f}" y1="{TOP - 4}" x2="{place(1):.1f}" y2="{y}" stroke="{OWN}" stroke-width="2"/>'
    size = f"{LEFT + WIDTH + RIGHT} {y + 16}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif" font-size="12">',
            "<title>seconds of each peer relative to icm-ray</title>",
            '<rect width="100%" height="100%" rx="6" fill="white"/>',
            *head(list(dict.fromkeys(peer for row in ratios.values() for peer in row))),
            *axis,
            *bars,
            line,
            "</svg>\n",
        )
    )


def text(x, y, words, colour, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{more}>{words}</text>'


def head(peers):
    yield text(16, 24, "Seconds relative to icm-ray", INK, more=' font-size="15" font-weight="bold"')
    yield text(16, 42, "logarithmic; right of the line the peer is slower, left of it faster", GREY)
    x = LEFT + WIDTH - 190
    for name, colour in (("icm-ray = 1", OWN), *((peer, COLOURS[peer]) for peer in peers)):
        yield f'<rect x="{x}" y="14" width="11" height="11" rx="2" fill="{colour}"/>'
        yield text(x + 16, 24, name, INK)
        x += 30 + 7 * len(name)


def tick(x, bottom, power):
    words = f"{10**power}×" if power >= 0 else f"1/{10**-power}×"
    return f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>' + text(
        x, TOP - 8, words, GREY, "middle", ' font-size="11"'
    )


def bar(start, end, y, colour):
    x, width = min(start, end), max(abs(end - start), 1.5)
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR - 2}" rx="1.5" fill="{colour}"/>'


def label(x, y, ratio):
    words = f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"
    faster = ratio < 1
    return text(x - 5 if faster else x + 5, y + 10, words, INK, "end" if faster else "start", ' font-size="10.5"')
