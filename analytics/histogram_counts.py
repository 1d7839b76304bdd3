"""What histograms reveal: counts and edges, the tuples that numpy gives, which are drawn by matplotlib."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from icm_ray.errors import UnsupportedError

__all__ = ["HistogramCounts", "HistogramCounts2D"]


def _axes(given: Any) -> Any:
    """Those that are given, or those of a new figure. Errors: `UnsupportedError` (no matplotlib)."""
    if given is not None:
        return given
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise UnsupportedError(
            "plots are drawn by matplotlib, which is not installed: pip install 'icm-ray[plot]'"
        ) from None
    return plt.subplots()[1]


class HistogramCounts(tuple[Any, Any]):  # noqa: SLOT001 - a tuple has room for no slots
    """A revealed histogram is the tuple (counts, edges), as of numpy.histogram, and plots itself.

    `SecureColumn.histogram` makes it: users do not call the class. Where a policy withholds some counts, they are
    a numpy.ma.MaskedArray.

    Attributes:
        column (str): The name of the column.
        what (str): What the numbers are, in a word or two.

    Examples:
        >>> found = visits["age"].histogram(bins=4, range=(20, 80)).reveal()
        >>> counts, edges = found
        >>> counts.tolist()
        [2, 1, 1, 1]
    """

    column: str
    what: str

    def __new__(cls, counts: Any, edges: Any, column: str, what: str) -> Self:
        made = super().__new__(cls, (counts, edges))
        made.column, made.what = column, what
        return made

    def __getnewargs__(self) -> tuple[Any, Any, str, str]:
        return (*self, self.column, self.what)

    @property
    def counts(self) -> Any:
        """The numbers (bins,).

        Examples:
            >>> visits["age"].histogram([0, 50, 100]).reveal().counts.tolist()
            [3, 2]
        """
        return self[0]

    @property
    def edges(self) -> Any:
        """The bins' edges (bins + 1,).

        Examples:
            >>> visits["age"].histogram([0, 50, 100]).reveal().edges.tolist()
            [0, 50, 100]
        """
        return self[1]

    @property
    def withheld(self) -> dict[Any, str]:
        """Of the places that a policy withholds the reason.

        Examples:
            >>> visits["age"].histogram([0, 50, 100]).reveal().withheld
            {}
        """
        return getattr(self[0], "withheld", {})

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the bins as steps; those that a policy withholds are hatched.

        Args:
            ax: The matplotlib axes to draw on; by default those of a new figure.
            **options: What `matplotlib.axes.Axes.stairs` takes, as color, fill and label.

        Returns:
            The axes.

        Raises:
            UnsupportedError: matplotlib is not installed: it comes with icm-ray's extra "plot".

        Examples:
            >>> axes = visits["age"].histogram(bins=4, range=(20, 80)).reveal().plot()
        """
        axes = _axes(ax)
        withheld = np.flatnonzero(np.ma.getmaskarray(self.counts))
        drawn = np.ma.filled(np.ma.asarray(self.counts, np.float64), np.nan)
        axes.stairs(drawn, self.edges, **{"fill": True, **options})
        for place in withheld:
            ends = self.edges[place], self.edges[place + 1]
            first = place == withheld[0]
            axes.axvspan(*ends, fill=False, hatch="//", linewidth=0, label="withheld" if first else None)
        if withheld.size:
            axes.legend()
        axes.set_xlabel(self.column)
        axes.set_ylabel(self.what)
        return axes


class HistogramCounts2D(tuple[Any, Any, Any]):  # noqa: SLOT001 - the same
    """A revealed histogram of two columns is the tuple (counts, x edges, y edges), as of numpy.histogram2d.

    `histogram2d` makes it: users do not call the class. Where a policy withholds some of the counts, they are a
    numpy.ma.MaskedArray.

    Attributes:
        columns (tuple[str, str]): The names of both columns.
        what (str): What the numbers are, in a word or two.

    Examples:
        >>> found = an.histogram2d(visits["age"], visits["cost"], bins=(2, 2), range=((20, 80), (0, 500))).reveal()
        >>> counts, ages, costs = found
        >>> counts.tolist()
        [[2.0, 1.0], [1.0, 1.0]]
    """

    columns: tuple[str, str]
    what: str

    def __new__(cls, counts: Any, x_edges: Any, y_edges: Any, columns: tuple[str, str], what: str) -> Self:
        made = super().__new__(cls, (counts, x_edges, y_edges))
        made.columns, made.what = columns, what
        return made

    def __getnewargs__(self) -> tuple[Any, Any, Any, tuple[str, str], str]:
        return (*self, self.columns, self.what)

    @property
    def counts(self) -> Any:
        """The numbers (x bins, y bins).

        Examples:
            >>> an.histogram2d(visits["age"], visits["cost"], bins=([0, 99], [0, 999])).reveal().counts.tolist()
            [[5.0]]
        """
        return self[0]

    @property
    def withheld(self) -> dict[Any, str]:
        """Of the places that a policy withholds the reason.

        Examples:
            >>> an.histogram2d(visits["age"], visits["cost"], bins=([0, 99], [0, 999])).reveal().withheld
            {}
        """
        return getattr(self[0], "withheld", {})

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the bins as coloured cells beside a bar of colours; those that a policy withholds stay empty.

        Args:
            ax: The matplotlib axes to draw on; by default those of a new figure.
            **options: What `matplotlib.axes.Axes.pcolormesh` takes, as cmap and norm.

        Returns:
            The axes.

        Raises:
            UnsupportedError: matplotlib is not installed: it comes with icm-ray's extra "plot".

        Examples:
            >>> axes = an.histogram2d(visits["age"], visits["cost"], bins=([0, 50, 99], [0, 99, 999])).reveal().plot()
        """
        axes = _axes(ax)
        mesh = axes.pcolormesh(self[1], self[2], self.counts.T, **options)
        axes.figure.colorbar(mesh, ax=axes, label=self.what)
        axes.set_xlabel(self.columns[0])
        axes.set_ylabel(self.columns[1])
        return axes
