"""The results explorer's face: what to look at, which methods, and the view of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets as w
import pandas as pd

from cdseg_teach.labs import results as model
from cdseg_teach.labs.contrast_view import STYLE
from cdseg_teach.labs.display import AltImage, Face, legend, live, with_tooltip

_TABLE_STYLE = """<style>
.cdseg-results table {border-collapse: collapse; font-size: 16px; line-height: 22px; width: 100%}
.cdseg-results :is(th, td) {text-align: right; padding: 2px 6px; white-space: nowrap}
.cdseg-results :is(th, td):is(:nth-child(1), :nth-child(5), :nth-child(6)) {text-align: left}
.cdseg-results td:is(:nth-child(1), :nth-child(5)) {white-space: normal}
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
row. Black bar: mean.""",
    "over shift": """Line: mean over seeds; ribbon: from the lowest to the highest. At 0 everybody
is scanned by the source's scanner, at 1 the target by its own.""",
    "over α": "Line: mean over seeds; ribbon: from the lowest to the highest. α = 0 plays no game.",
    "worst cases": """The test subject of T that each method does worst on, over all seeds, on its
slice with most wrong pixels; DSC of the whole volume.""",
}


class ResultsView(Face):
    """Controls and views of a `ResultsExplorer`."""

    def __init__(self, lab: model.ResultsExplorer) -> None:
        self.lab = lab
        self._boxes: dict[str, w.Checkbox] = {}
        self._make_controls()
        self.table, self.status, self.caption = w.HTML(), w.HTML(), w.HTML()
        self.picture = AltImage(layout=w.Layout(width="100%", max_width="860px"))
        self.content = w.VBox()
        self.widget = self._arranged()
        self.refresh()

    @property
    def used(self) -> dict[str, w.Checkbox]:
        """Method of the table -> the box that puts it in."""
        return {name: self._box(name) for name in self.lab.methods}

    def _make_controls(self) -> None:
        tables = [(title, direction) for direction, title in self.lab.tables.items()]
        self.controls = {
            "direction": w.Dropdown(description="Table", options=tables),
            "metric": w.Dropdown(
                description="Metric", options=[(name, key) for key, name in model.METRICS.items()]
            ),
            "structure": w.Dropdown(description="Structure"),
            "view": w.ToggleButtons(description="View", options=model.VIEWS),
        }
        for name, control in self.controls.items():
            control.observe(self.guarded(partial(self._choose, name)), "value")

    def _choose(self, name: str, value: Any) -> None:
        self.lab.choose(**{name: value})

    def _box(self, name: str) -> w.Checkbox:
        """The box of a method, kept for the next table: a widget that is dropped stays about."""
        if name not in self._boxes:
            box = w.Checkbox(description=name, indent=False)
            box.layout = w.Layout(width="auto", height="26px")
            with_tooltip(box, "Compare it, or leave it out")
            box.observe(self.guarded(self._use), "value")
            self._boxes[name] = box
        return self._boxes[name]

    def _use(self, _: bool) -> None:
        self.lab.choose(methods=tuple(name for name, box in self.used.items() if box.value))

    def _arranged(self) -> w.Widget:
        controls = self.controls
        for name, width in (("direction", 270), ("metric", 210), ("structure", 190)):
            controls[name].layout = w.Layout(width=f"{width}px")
            controls[name].style = {"description_width": "initial"}
        controls["view"].layout = w.Layout(width="auto")
        controls["view"].style = {"description_width": "initial", "button_width": "auto"}
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
        settings, used = lab.settings, self.used
        with self.updating():
            self.methods.children = [*used.values()]
            self.controls["structure"].options = (model.ALL, *lab.structures)
            for name, control in self.controls.items():
                control.value = getattr(settings, name)
            for name, box in used.items():
                box.value = name in settings.methods
        if settings.view == "table":
            self.table.value = _as_html(lab.table())
            self.content.children = (self.table,)
        else:
            self.picture.show(*lab.still())
            self.content.children = (self.picture,)
        caption = _CAPTIONS[settings.view]
        if settings.view == "worst cases":
            caption += f"<br>{legend(lab.structures)}"
        self.caption.value = f"<div class='cdseg-note'>{caption}</div>"
        self.status.value = live(message or lab.in_words())


def _as_html(table: pd.DataFrame) -> str:
    """A table whose long names can go on in a second line after a _."""
    shown = table.rename(index=lambda name: name.replace("_", "_\u200b")).reset_index()
    return str(shown.to_html(index=False, border=0))
