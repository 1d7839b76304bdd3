"""Write which of torch's operations models may hold into docs/models.md, from the tables of the code.

usage: python docs/operations.py           rewrite the table
       python docs/operations.py --check   exit 1 where it is not that of the code
"""

import sys
from pathlib import Path

from analytics.nn.torch_ops.activations import ACTIVATIONS
from analytics.nn.torch_ops.angles import ANGLES
from analytics.nn.torch_ops.comparisons import COMPARISONS
from analytics.nn.torch_ops.convolutions import CONVOLUTIONS
from analytics.nn.torch_ops.embeddings import EMBEDDINGS
from analytics.nn.torch_ops.functions import FUNCTIONS
from analytics.nn.torch_ops.layout import LAYOUT
from analytics.nn.torch_ops.matrices import MATRICES
from analytics.nn.torch_ops.moved import MOVED
from analytics.nn.torch_ops.movement import MOVEMENT
from analytics.nn.torch_ops.norms import NORMS
from analytics.nn.torch_ops.orders import ORDERS
from analytics.nn.torch_ops.parts import PARTS
from analytics.nn.torch_ops.pointwise import POINTWISE
from analytics.nn.torch_ops.pools import POOLS
from analytics.nn.torch_ops.pools_of_depth import POOLS_OF_DEPTH
from analytics.nn.torch_ops.private_places import PRIVATE_PLACES
from analytics.nn.torch_ops.recurrent import RECURRENT
from analytics.nn.torch_ops.resampling import RESAMPLING
from analytics.nn.torch_ops.roundings import ROUNDINGS
from analytics.nn.torch_ops.running import RUNNING
from analytics.nn.torch_ops.scattered import ADDED, SCATTERED
from analytics.nn.torch_ops.sums_of_products import SUMS_OF_PRODUCTS
from analytics.nn.torch_ops.warps import WARPS

PAGE = Path(__file__).with_name("models.md")
BEGIN, END = "<!-- operations -->\n", "<!-- /operations -->\n"
FAMILIES = {
    "convolutions": CONVOLUTIONS,
    "linear layers, matrix products, attention": {**MATRICES, **SUMS_OF_PRODUCTS},
    "normalisation": NORMS,
    "activations": ACTIVATIONS,
    "angles, hyperbolic functions": ANGLES,
    "arithmetic": POINTWISE,
    "quotients, powers, exponentials, logarithms, norms of vectors": FUNCTIONS,
    "comparisons, logic": COMPARISONS,
    "places of extremes, order": ORDERS,
    "running extremes, products, sums": RUNNING,
    "pools, sums, means, extremes": {**POOLS, **POOLS_OF_DEPTH},
    "shapes, slices, padding, joining": {**LAYOUT, **MOVED},
    "repeats, indices, shuffles, windows, parts": {**MOVEMENT, **PARTS},
    "tables at private places, boundaries": PRIVATE_PLACES,
    "values written to places": {**SCATTERED, **ADDED},
    "recurrent layers": RECURRENT,
    "embeddings of private tokens": EMBEDDINGS,
    "upsampling": RESAMPLING,
    "images at the places of a grid": WARPS,
    "rounding, remainders": ROUNDINGS,
}


def table() -> str:
    """The rows: torch's names, each once, without overloads."""
    lines = ["| family | operations |", "|---|---|"]
    for family, translations in FAMILIES.items():
        names = sorted({str(op).split(".")[1].strip("_") for op in translations})
        lines.append(f"| {family} | {', '.join(f'`{name}`' for name in names)} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page with the table."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    from docs.kept import keep

    keep(PAGE, page(), __file__)
