"""The results explorer's face: what to look at, which methods, and the view of them."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as w
import numpy as np

from cdseg_teach import plots
from cdseg_teach.evaluation import RATIOS
from cdseg_teach.labs import curves
from cdseg_teach.labs import results as model
from cdseg_teach.labs.contrast_view import STYLE
from cdseg_teach.labs.display import Face, Fit, live, load_plotly, with_tooltip
from cdseg_teach.labs.results_still import case_lines, case_picture, lane
from cdseg_teach.problems import Problem
from cdseg_teach.slices import BLACK, OUTLINE, encoded

go = load_plotly()

SIDE = 205  # pixels of a picture
ROW = 28  # pixels of a method's dots
# matplotlib's names of markers and lines -> plotly's
_SYMBOLS = {
    "o": "circle",
    "^": "triangle-up",
    "s": "square",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
}
_DASHES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
_TABLE_STYLE = """<style>
.cdseg-results table {border-collapse: collapse; font-size: 16px; line-height: 22px; width: 100%}
.cdseg-results :is(th, td) {text-align: right; padding: 2px 6px; white-space: nowrap}
.cdseg-results :is(th, td):is(:nth-child(1), :nth-child(5), :nth-child(6)) {text-align: left}
.cdseg-results td:nth-child(1) {white-space: normal}
.cdseg-results tbody tr {border-top: 1px solid #ddd}
.cdseg-results .widget-toggle-buttons .jupyter-button {width: auto; padding: 0 14px}
.cdseg-results .widget-toggle-buttons .mod-active {background: #0072B2; color: #fff}
</style>"""
_CAPTIONS = {
    "table": """Mean (std) over the test subjects of all seeds, on the target T and the source S; a
subject counts with the mean over its structures. <b>± seeds</b>: standard deviation of the seeds'
means. <b>Difference</b>: to the control, paired. <b>Interval</b>: bootstrap over seeds and their
subjects. <b>p</b>: Wilcoxon over subjects, with the trainings as
they are; Holm's correction over all rows of the table. <b>Undefined</b>: pairs that do not count,
since one of the two did not find the structure at all.""",
    "subjects": """A dot is a test subject of T; each seed has its colour, symbol and height in a
row. Black bar: mean. Point at a dot to read who it is.""",
    "over shift": """Line: mean over seeds; ribbon: from the lowest to the highest. At 0 everybody
is scanned by the source's scanner, at 1 the target by its own.""",
    "over α": "Line: mean over seeds; ribbon: from the lowest to the highest. α = 0 plays no game.",
    "worst cases": f"""The test subject of T that each method does worst on, over all seeds, on its
slice with most wrong pixels; DSC of the whole volume.
<b style='color:{OUTLINE["prediction"]}'>━</b> prediction, full line&emsp;<b>┅</b> truth, dashed
white""",
}


class ResultsView(Face):
    """Controls and views of a `ResultsExplorer`."""

    def __init__(self, lab: model.ResultsExplorer) -> None:
        self.lab = lab
        self.used: dict[str, w.Checkbox] = {}
        self._make_controls()
        self.table, self.pictures = w.HTML(), w.HBox(layout=w.Layout(flex_flow="row wrap"))
        self.figure = go.FigureWidget(layout=curves.LAYOUT)
        self.figure._config = curves.CONFIG
        self.plot = w.VBox([self.figure, Fit()])
        self.content, self.caption, self.status = w.VBox(), w.HTML(), w.HTML()
        self.widget = self._arranged()
        self.refresh()

    def _make_controls(self) -> None:
        tables = [(title, direction) for direction, title in self.lab.tables.items()]
        self.controls = {
            "direction": w.Dropdown(description="Table", options=tables),
            "metric": w.Dropdown(
                description="Metric", options=[(name, key) for key, name in model.METRICS.items()]
            ),
            "structure": w.Dropdown(description="Structure"),
            "view": w.ToggleButtons(options=model.VIEWS, style={"button_width": "auto"}),
        }
        self._offer_structures()
        for name, control in self.controls.items():
            control.observe(self.guarded(partial(self._choose, name)), "value")

    def _choose(self, name: str, value: Any) -> None:
        self.lab.choose(**{name: value})

    def _offer_structures(self) -> None:
        self.controls["structure"].options = (model.ALL, *self.lab.structures)

    def _offer_methods(self) -> None:
        self.used = {name: w.Checkbox(description=name, indent=False) for name in self.lab.methods}
        for box in self.used.values():
            box.layout = w.Layout(width="auto", height="26px")
            with_tooltip(box, "Compare it, or leave it out")
            box.observe(self.guarded(self._use), "value")
        self.methods.children = list(self.used.values())

    def _use(self, _: bool) -> None:
        self.lab.choose(methods=tuple(name for name, box in self.used.items() if box.value))

    def _arranged(self) -> w.Widget:
        controls = self.controls
        for name, width in (("direction", 270), ("metric", 210), ("structure", 190)):
            controls[name].layout = w.Layout(width=f"{width}px")
            controls[name].style = {"description_width": "initial"}
        row = w.Layout(width="100%", align_items="center", flex_flow="row wrap")
        self.methods = w.GridBox(
            layout=w.Layout(
                grid_template_columns="repeat(auto-fill, minmax(260px, 1fr))", width="100%"
            )
        )
        chosen = [controls[name] for name in ("direction", "metric", "structure")]
        box = w.VBox(
            [
                w.HTML(STYLE + _TABLE_STYLE),
                w.HBox(chosen, layout=row),
                self.methods,
                controls["view"],
                self.content,
                self.caption,
                self.status,
            ]
        )
        box.add_class("cdseg-contrast").add_class("cdseg-results")
        return box

    def refresh(self, message: str = "") -> None:
        """Show the lab's choice, and a message if something could not be done."""
        lab = self.lab
        with self.updating():
            if lab.methods != tuple(self.used):
                self._offer_methods()
                self._offer_structures()
            for name, control in self.controls.items():
                control.value = getattr(lab.settings, name)
            for name, box in self.used.items():
                box.value = name in lab.settings.methods
        show: dict[str, Callable[[], w.Widget]] = {
            "table": self._show_table,
            "subjects": self._show_subjects,
            "over shift": self._show_shift,
            "over α": self._show_alpha,
            "worst cases": self._show_cases,
        }
        view = lab.settings.view
        try:
            self.content.children = (show[view](),)
        except Problem as problem:
            self.content.children = ()
            message = message or str(problem)
        self.caption.value = f"<div class='cdseg-note'>{_CAPTIONS[view]}</div>"
        self.status.value = live(message or lab.in_words())

    def _show_table(self) -> w.Widget:
        table = self.lab.table().reset_index()
        table["method"] = table["method"].map(_breakable)
        self.table.value = table.to_html(index=False, border=0)
        return self.table

    def _show_subjects(self) -> w.Widget:
        dots, methods = self.lab.dots(), self.lab.settings.methods
        seeds, traces = dots.index.unique("seed"), []
        for k, seed in enumerate(seeds):
            own = dots.loc[seed]
            colour, marker, _ = plots.look(k)
            rows = np.arange(len(methods)) + lane(k, len(seeds))
            traces.append(
                go.Scatter(
                    x=own.to_numpy().ravel(),
                    y=np.tile(rows, len(own)),
                    text=np.repeat(own.index, len(methods)),
                    hovertemplate="%{text}: %{x:.1f}",
                    name=f"seed {seed}",
                    mode="markers",
                    marker={"symbol": _SYMBOLS[marker], "color": colour, "size": 9},
                )
            )
        bar = {"symbol": "line-ns", "size": 24, "line": {"width": 4, "color": BLACK}}
        places = np.arange(len(methods))
        mean = {"mode": "markers", "marker": bar, "name": "mean", "hovertemplate": "%{x:.1f}"}
        traces.append(go.Scatter(x=dots.mean().to_numpy(), y=places, **mean))
        x_axis = self._metric_axis()
        y_axis = {"tickvals": places, "ticktext": methods, "range": [len(methods) - 0.5, -0.5]}
        height = 80 + ROW * len(methods)
        return self._drawn(traces, x_axis, y_axis, height, margin={"l": 250})

    def _show_shift(self) -> w.Widget:
        found = self.lab.over_shift()
        x_axis = {
            "title": "shift strength",
            "tickvals": sorted({v for x, _ in found.values() for v in x}),
        }
        return self._drawn(_ribbons(found), x_axis, self._metric_axis())

    def _show_alpha(self) -> w.Widget:
        found = self.lab.over_alpha()
        alphas = sorted({value for x, _ in found.values() for value in x})
        # Equal steps, since 0 has no place on a logarithmic axis.
        placed = {
            name: ([float(alphas.index(value)) for value in x], runs)
            for name, (x, runs) in found.items()
        }
        ticks = {"tickvals": list(range(len(alphas))), "ticktext": [f"{a:g}" for a in alphas]}
        x_axis = {"title": "α of adversarial learning", **ticks}
        return self._drawn(_ribbons(placed), x_axis, self._metric_axis())

    def _show_cases(self) -> w.Widget:
        columns = []
        for case in self.lab.cases():
            method, *rest = map(html.escape, case_lines(case))
            title = w.HTML(
                f"<h4>{_breakable(method)}</h4><div class='cdseg-note'>{'<br>'.join(rest)}</div>"
            )
            layout = w.Layout(width=f"{SIDE}px", height=f"{SIDE}px", object_fit="contain")
            image = w.Image(format="png", value=encoded(case_picture(case)), layout=layout)
            place = w.Layout(width=f"{SIDE}px", margin="0 14px 8px 0", justify_content="flex-end")
            columns.append(w.VBox([title, image], layout=place))
        self.pictures.children = columns
        return self.pictures

    def _metric_axis(self) -> dict[str, Any]:
        percent = {"range": [-1, 102]} if self.lab.settings.metric in RATIOS else {}
        return {"title": self.lab.metric, "rangemode": "tozero", **percent}

    def _drawn(
        self,
        traces: list[Any],
        x_axis: dict[str, Any],
        y_axis: dict[str, Any],
        height: int = 400,
        margin: dict[str, int] | None = None,
    ) -> w.Widget:
        """Put traces into the one figure."""
        layout = curves.LAYOUT | {
            "height": height,
            "showlegend": True,
            "legend": {"font": {"size": 16}},
            "hovermode": "closest",
            "margin": {"l": 70, "r": 8, "t": 10, "b": 50} | (margin or {}),
            "xaxis": curves.AXIS | x_axis,
            "yaxis": curves.AXIS | y_axis,
        }
        self.figure.data = ()
        self.figure.add_traces(traces)
        self.figure.update(layout=layout, overwrite=True)
        return self.plot


def _breakable(name: str) -> str:
    """Let a long name go on in a second line after a _."""
    return name.replace("_", "_\u200b")


def _ribbons(found: model.Curves) -> list[Any]:
    """Return for each curve its ribbon, from the lowest to the highest seed, and its mean."""
    traces = []
    for number, (name, (x, runs)) in enumerate(found.items()):
        colour, marker, dash = plots.look(number)
        around = np.concatenate([runs.max(axis=0), runs.min(axis=0)[::-1]])
        ribbon = go.Scatter(x=[*x, *x[::-1]], y=around, fill="toself", opacity=0.18)
        ribbon.update(mode="none", fillcolor=colour, hoverinfo="skip", showlegend=False)
        line = go.Scatter(x=x, y=runs.mean(axis=0), name=name, mode="lines+markers")
        line.update(line={"color": colour, "width": 3, "dash": _DASHES[dash]})
        line.update(marker={"symbol": _SYMBOLS[marker], "size": 11})
        line.update(hovertemplate="%{y:.1f}")
        traces += [ribbon, line]
    return traces
