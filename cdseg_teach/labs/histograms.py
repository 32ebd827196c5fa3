"""Histograms of normalised intensities, in a widget and in print: same bins, same lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cdseg_teach import plots
from cdseg_teach.labs.display import load_plotly

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = np.linspace(-4, 6, 61)
_MIDDLES = (BINS[1:] + BINS[:-1]) / 2
_LABELS = ("intensity (normalised)", "voxels (%)")
# plotly's and matplotlib's
_DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": "--",
    "dot": ":",
    "dashdot": "-.",
    "longdash": (0, (8, 2)),
}

#: Name -> colour, dash and width of its line; no two dashes alike, so that colour is not needed.
Lines = Mapping[str, tuple[str, str, int]]
#: Name -> percent in each bin.
Shares = Mapping[str, np.ndarray]


def shares(values: np.ndarray) -> np.ndarray:
    """Return the share of values in each of `BINS`, in percent.

    What lies beyond them, such as a bleeding, is counted in the first or the last.
    """
    counts = np.histogram(np.clip(values, BINS[0], BINS[-1]), BINS)[0]
    return 100 * counts / max(len(values), 1)


def draw(axes: Axes, shares_of: Shares, lines: Lines, title: str = "") -> None:
    """Draw histograms in print."""
    for name, percent in shares_of.items():
        colour, dash, width = lines[name]
        axes.plot(_MIDDLES, percent, linestyle=_DASHES[dash], color=colour, lw=width, label=name)
    plots.dress(axes, *_LABELS, title)


def explain(picture: plots.Picture, axes: Axes) -> None:
    """Say below a picture in print which line is which."""
    lines = axes.get_lines()
    picture.legend(
        handles=lines,
        loc="outside lower center",
        ncols=len(lines),
        fontsize=plots.INK,
        frameon=False,
        handlelength=3,
    )


def empty_figure(lines: Lines, panels: Sequence[str]) -> Any:
    """Return plotly's panels side by side, which share an axis, to be filled by `fill`."""
    go = load_plotly()
    figure = go.FigureWidget().set_subplots(
        1, len(panels), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=panels
    )
    for name, (colour, dash, width) in lines.items():
        line = {"color": colour, "dash": dash, "width": width}
        for column in range(1, len(panels) + 1):
            trace = go.Scatter(
                x=_MIDDLES, y=[], name=name, mode="lines", line=line, showlegend=column == 1
            )
            figure.add_trace(trace, row=1, col=column)
    figure.update_layout(
        template="none",
        height=230,
        margin={"l": 56, "r": 8, "t": 26, "b": 44},
        font={"size": 16},
        autosize=True,
        legend={"font": {"size": 16}},
        hovermode=False,
        dragmode=False,
    )
    figure.update_xaxes(
        title_text=_LABELS[0],
        title_standoff=4,
        range=[BINS[0] - 0.2, BINS[-1] + 0.2],  # what is counted at the ends is seen
        fixedrange=True,
        gridcolor="#e5e5e5",
    )
    figure.update_yaxes(fixedrange=True, gridcolor="#e5e5e5")
    figure.update_yaxes(title_text="voxels, %", row=1, col=1)
    figure._config = {"responsive": True, "displayModeBar": False}
    return figure


def fill(figure: Any, lines: Lines, panels: Sequence[Shares]) -> None:
    """Show the histograms of each panel."""
    with figure.batch_update():
        for index, name in enumerate(lines):
            for column, shares_of in enumerate(panels):
                trace = figure.data[len(panels) * index + column]
                trace.y = shares_of.get(name, np.zeros(0))
