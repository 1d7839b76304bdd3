"""Results that other organisations' questions had for the own one, as pandas has them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icm_ray.instance.results import Result, Results
from icm_ray.query.withheld import Withheld

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Arrived", "arrived"]


class Arrived:
    """A result that a peer's question had for this organisation, in the instance's folder.

    `Connection.results` gives them: users do not call the class.

    Attributes:
        number (int): As `icm results` lists it.
        asker (str): The organisation whose question it was.
        title (str): The question in words, as this organisation's own worker derived it.
        at (datetime): When it came, UTC.
        rows (int): Of its table.
        withheld (tuple[str, ...]): Why numbers of it are missing.
    """

    def __init__(self, kept: Results, of: Result) -> None:
        self._kept = kept
        self.number, self.asker, self.title = of.number, of.asker, of.title
        self.rows, self.withheld = of.rows, of.withheld
        self.at = datetime.fromtimestamp(of.since, UTC)

    def parquet(self) -> bytes:
        """The Parquet file that it is kept in.

        Raises:
            InstanceError: It was removed, or damaged.

        Examples:
            >>> icm.connect().results()[0].parquet()[:4]  # doctest: +SKIP
            b'PAR1'
        """
        return self._kept.parquet(self.number)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each group, whose keys are the index, for each bin or each value; else one row of all numbers.

        Returns:
            Columns named by what was asked ("mean of cost"); what was withheld is missing.

        Raises:
            InstanceError: It was removed, or damaged.

        Examples:
            >>> icm.connect().results()[0].to_pandas()  # doctest: +SKIP
                  number of rows  mean of cost
            ward
            A                120         203.3
        """
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self.parquet()))

    def value(self) -> Any:
        """The only number, where it is one.

        Returns:
            A number, `Withheld` where it was withheld; of anything else what `to_pandas` returns.

        Raises:
            InstanceError: It was removed, or damaged.

        Examples:
            >>> icm.connect().results()[0].value()  # doctest: +SKIP
            203.3
        """
        table = self.to_pandas()
        if table.shape == (1, 1) and table.index.names == [None]:
            return Withheld(self.withheld[0]) if self.withheld else table.iat[0, 0].item()
        if not table.shape[1] and self.withheld:
            return Withheld(self.withheld[0])
        return table

    def __repr__(self) -> str:
        return f"<result {self.number} of {self.asker}: {self.title}>"


def arrived(folder: Path) -> list[Arrived]:
    """What has come to the instance in a folder, by number. Errors: `InstanceError`."""
    kept = Results(folder)
    return [Arrived(kept, one) for one in kept.all]
