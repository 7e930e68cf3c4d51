"""How plots look: SVG with a clear ground, in colours that can be read on white and on black."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Text, axes and the bars of others. Its contrast with white and with black is 4.5 : 1 or nearly so.
GREY = "#787c83"
BLUE, GREEN, AMBER, VIOLET, RED = "#3b82f6", "#16a34a", "#d97706", "#a855f7", "#e5484d"
COLOURS = (BLUE, GREEN, AMBER, VIOLET, RED)
#: Any: matplotlib has a type of its own for its keys, in its newer versions.
STYLE: Any = {
    "axes.edgecolor": GREY,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "font.size": 9,
    "grid.alpha": 0.3,
    "grid.color": GREY,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "savefig.facecolor": "none",
    # The same figures give the same file; letters are those of whoever looks at it.
    "svg.fonttype": "none",
    "svg.hashsalt": "flask-queue",
    "xtick.color": GREY,
    "ytick.color": GREY,
}


@contextmanager
def drawing(path: Path, size: tuple[float, float], rows: int = 1, columns: int = 1) -> Iterator[list[Axes]]:
    """Axes to draw on, row by row; they are saved at the end of the block. Size in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        yield list(figure.subplots(rows, columns, squeeze=False).flat)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
