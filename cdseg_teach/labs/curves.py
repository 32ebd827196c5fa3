"""The α lab's one plotly figure: losses, accuracy, DSC, and the map of the features.

Other labs draw their curves with the same ink, so what they share has a name here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cdseg_teach.experiments.recording import Frame, RecordedRun
from cdseg_teach.labs.display import load_plotly
from cdseg_teach.slices import BLACK, BLUE, GREEN, PINK, RED

go = load_plotly()

# A figure that only shows: nothing happens where it is touched.
LAYOUT = {
    "template": "none",
    "height": 480,
    "margin": {"l": 58, "r": 8, "t": 30, "b": 44},
    "showlegend": False,
    "hovermode": False,
    "font": {"size": 16, "color": "#111"},
    "dragmode": False,
    "autosize": True,
}
AXIS = {
    "gridcolor": "#e5e5e5",
    "zeroline": False,
    "showline": True,
    "linecolor": "#888",
    "fixedrange": True,
}
CONFIG = {"responsive": True, "displayModeBar": False}

POINTS = 200  # per curve: more cannot be told apart, and redrawing them costs steps
CURVES = ("loss_seg", "loss_adv", "discriminator_accuracy", "dsc_source", "dsc_target")
_STYLE = {
    "loss_seg": (1, GREEN, "solid", None),
    "loss_adv": (1, PINK, "dot", None),
    "discriminator_accuracy": (2, BLACK, "solid", None),
    "dsc_source": (3, BLUE, "solid", "circle"),
    "dsc_target": (3, RED, "solid", "triangle-up"),
}
# The dotted levels are named here: beside the line their names would lie on a curve, where the
# plots are narrow on the axis, too.
_CHANCE = "<span style='font-size:14px'>┈ {}chance</span>"
_TITLES = (
    f"<b style='color:{GREEN}'>━ L<sub>seg</sub></b>   "
    f"<b style='color:{PINK}'>┅ L<sub>adv</sub></b>   {_CHANCE.format('ln 2 = ')}",
    f"<b>Features</b>  <b style='color:{BLUE}'>● S</b>  <b style='color:{RED}'>▲ T</b>",
    f"<b>Discriminator</b> right, %  {_CHANCE.format('')}",
    f"<b>DSC, %</b>   <b style='color:{BLUE}'>● on S</b>   <b style='color:{RED}'>▲ on T</b>",
)


def empty_figure() -> Any:
    """Return the figure with all its traces, to be filled by `fill`."""
    figure = go.FigureWidget().set_subplots(
        rows=3,
        cols=2,
        specs=[[{}, {"rowspan": 3}], [{}, None], [{}, None]],
        column_widths=[0.58, 0.42],
        shared_xaxes=True,
        vertical_spacing=0.1,
        horizontal_spacing=0.08,  # room for "PC 2" in the narrowest window
        subplot_titles=_TITLES,
    )
    for pinned in (True, False):
        for name in CURVES:
            figure.add_trace(_curve(name, pinned), row=_STYLE[name][0], col=1)
    for name, colour, symbol in (("S", BLUE, "circle"), ("T", RED, "triangle-up")):
        marker = {
            "symbol": symbol,
            "color": colour,
            "size": 12,
            "line": {"color": "white", "width": 1},
        }
        figure.add_trace(
            go.Scatter(mode="markers", name=name, marker=marker, hoverinfo="skip"), row=1, col=2
        )
    # Never seen: it keeps the axes from shrinking about nothing before the first steps.
    figure.add_trace(go.Scatter(x=[0, 10], y=[0.4, 1.5], opacity=0, hoverinfo="skip"), row=1, col=1)
    _dress(figure)
    figure._config = CONFIG
    return figure


def _curve(name: str, pinned: bool) -> Any:
    _, colour, dash, symbol = _STYLE[name]
    line = {"color": colour, "width": 2 if pinned else 3, "dash": "dash" if pinned else dash}
    if symbol and not pinned:
        return go.Scatter(
            mode="lines+markers", line=line, marker={"symbol": symbol, "size": 9}, name=name
        )
    return go.Scatter(
        mode="lines",
        line=line,
        opacity=0.6 if pinned else 1,
        name=f"{name} pinned" if pinned else name,
    )


def _dress(figure: Any) -> None:
    figure.update_layout(LAYOUT, shapes=[_level(50, "y3"), _level(0.693, "y"), cursor(0)])
    figure.update_annotations(font_size=17, xanchor="left", x=0.0)
    figure.layout.annotations[1].update(x=figure.layout.xaxis2.domain[0])
    figure.update_xaxes(**AXIS, rangemode="tozero")
    figure.update_yaxes(**AXIS)
    figure.update_yaxes(
        type="log",
        row=1,
        col=1,
        tickvals=[10.0**power for power in range(-3, 16)],
        exponentformat="power",
    )
    figure.update_yaxes(range=[0, 102], tickvals=[0, 50, 100], row=2, col=1)
    figure.update_yaxes(range=[0, 102], tickvals=[0, 50, 100], row=3, col=1)
    figure.update_xaxes(title_text="step", title_standoff=4, row=3, col=1)
    figure.update_xaxes(
        showticklabels=False, title_text="PC 1", title_standoff=4, rangemode="normal", row=1, col=2
    )
    figure.update_yaxes(showticklabels=False, title_text="PC 2", title_standoff=4, row=1, col=2)


def _level(y: float, axis: str) -> dict[str, Any]:
    line = {"color": "#555", "width": 2, "dash": "dot"}
    return {
        "type": "line",
        "x0": 0,
        "x1": 1,
        "xref": "x domain",
        "y0": y,
        "y1": y,
        "yref": axis,
        "line": line,
    }


def cursor(step: float) -> dict[str, Any]:
    """Return the line at the step that is looked back at, the last of a figure's shapes."""
    line = {"color": "#777", "width": 2}
    return {
        "type": "line",
        "x0": step,
        "x1": step,
        "xref": "x",
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": line,
    }


Drawn = Mapping[str, tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]]


def of_run(run: RecordedRun) -> Drawn:
    """Return name -> (steps, values) of a recorded run, shares in percent."""
    return live(run.reports, run.frames)


def live(history: Sequence[Mapping[str, float]], frames: Sequence[Frame]) -> Drawn:
    """Return name -> (steps, values) of a run, shares in percent, thinned for the eye."""
    reports = thinned(history)
    steps = [report["step"] for report in reports]
    seen = [frame.step for frame in frames]
    return {
        "loss_seg": (steps, [report["loss_seg"] for report in reports]),
        "loss_adv": (steps, [report["loss_adv"] for report in reports]),
        "discriminator_accuracy": (
            steps,
            [100 * report["discriminator_accuracy"] for report in reports],
        ),
        "dsc_source": (seen, [100 * frame.dsc_source for frame in frames]),
        "dsc_target": (seen, [100 * frame.dsc_target for frame in frames]),
    }


def thinned(history: Sequence[Any]) -> list[Any]:
    """Return at most about `POINTS` of the entries, the last one always among them."""
    stride = max(1, -(-len(history) // POINTS))
    return list(history)[::-1][::stride][::-1]


def fill(figure: Any, drawn: Drawn, pinned: bool = False) -> None:
    """Put a run's curves into the figure; an empty run takes them away.

    Call it inside one batch_update.
    """
    for index, name in enumerate(CURVES):
        x, y = drawn.get(name, ((), ()))
        trace = figure.data[index + (0 if pinned else len(CURVES))]
        trace.update(x=np.asarray(x, np.float32), y=np.asarray(y, np.float32))


def fill_map(figure: Any, points: np.ndarray, domains: np.ndarray) -> None:
    """Put the projected features [slices, 2] into the map, S as circles and T as triangles."""
    for domain, trace in enumerate(figure.data[2 * len(CURVES) :][:2]):
        chosen = points[domains == domain].astype(np.float32)
        trace.update(x=chosen[:, 0], y=chosen[:, 1])


def show_cursor(figure: Any, step: int | None) -> None:
    """Put the vertical line at the step that is looked back at, if any."""
    figure.layout.shapes[-1].update(x0=step or 0, x1=step or 0, visible=step is not None)
