"""The test-time lab's face: controls, one figure, the mask before and now, one line of numbers."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import ipywidgets as w
import numpy as np

from cdseg_teach.experiments.facts import NEAR_MM
from cdseg_teach.labs import curves
from cdseg_teach.labs import test_time as model
from cdseg_teach.labs.display import AltImage, legend, load_plotly, with_tooltip
from cdseg_teach.labs.stepped_view import (
    STYLE,
    SteppedView,
    fitted,
    numbers_line,
)
from cdseg_teach.slices import BLACK, PINK, RED, encoded

go = load_plotly()

STEPS = (5, 10, 20, 40, 100)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
SIDE = 290  # pixels of a picture
CERTAIN = 1e-6  # nats; a logarithmic axis shows no 0
# Attribute of a `Look` -> factor, colour, title.
_CURVES = {
    "entropy": (1, BLACK, "<b>Entropy</b>, nats"),
    "dsc": (100, RED, "<b>DSC on this patient</b>, %"),
    "calibration_error": (100, PINK, "<b>Calibration error near the truth</b>, %"),
}
_CAPTION = f"""Choosing anything begins a new run, from a copy of the learner's own weights; the
learner is never changed. Target labels are used only to look: for DSC, calibration error, the
outline of the truth, and the choice of patients and slice. No method sees them. <b>Dotted</b>: the
learner, not adapted. At step 0 no weight has moved, but all methods save the denoising prior
normalise with the patient's own statistics by then; batch statistics do nothing else. Entropy: mean
over all voxels, logarithmic. Calibration error: gap between confidence and accuracy, within
{NEAR_MM:g} mm of the truth. <b>Why it can collapse:</b> a network that answers background
everywhere, whatever it is shown, is sure everywhere. A large learning rate (0.1 for the lecture's
brains), many steps, or all weights can lead there: entropy falls, and so does the DSC. Entropy
knows no labels, so it cannot tell sharper from emptier."""


class TestTimeView(SteppedView):
    """Controls and pictures of a `TestTimeLab`; all state that matters is in the lab."""

    __test__ = False
    lab: model.TestTimeLab

    def __init__(self, lab: model.TestTimeLab) -> None:
        super().__init__(
            lab,
            play="Adapt step after step",
            step="One update; batch statistics have none and only measure",
            reset="Begin anew, from the learner's own weights",
        )
        self._drawn: tuple[Any, ...] = ()
        self._make_controls()
        self.figure = _empty_figure()
        self.numbers, self.told = w.HTML(), w.HTML()
        self.bar = w.IntProgress(description="The denoiser learns", layout={"display": "none"})
        self.bar.style = {"description_width": "initial"}
        size = w.Layout(width=f"{SIDE}px", height=f"{SIDE}px", object_fit="contain")
        self.titles = [w.HTML() for _ in range(2)]
        self.pictures = [AltImage(layout=size) for _ in range(2)]
        self.widget = self._arranged()
        lab.changed, lab.progress = self.refresh, self._with_bar
        self.refresh(now=True)

    def _make_controls(self) -> None:
        lab = self.lab
        self.controls = {
            "subject": w.Dropdown(description="Patient", options=[*lab.subjects]),
            "method": w.Dropdown(description="Method", options=[*model.METHODS]),
            "learning_rate": _slider("Learning rate", RATES),
            "source_weight": _slider("Weight of S", [i / 10 for i in range(11)]),
            "parameters": w.Dropdown(description="Moves", options=_movable(lab)),
            "predict_from": w.Dropdown(
                description="Prediction from",
                options=[("after the update", "after"), ("before the update", "before")],
            ),
        }
        for name, control in self.controls.items():
            with_tooltip(control, "Choosing begins a new run")
            control.observe(self._guarded(partial(self._on_choice, name)), "value")
        self.steps = w.Dropdown(description="Steps", options=sorted({*STEPS, lab.steps}))
        with_tooltip(self.steps, "Play pauses every so many steps; pressed again, it goes on")
        self.steps.observe(self._guarded(self._on_steps), "value")
        names = lab.study.target.channels
        self.channel = w.Dropdown(
            description="Picture",
            options=[(name, i) for i, name in enumerate(names)],
            value=(*lab.study.shifted_channels, 0)[0],
        )
        self.channel.observe(lambda _: self.refresh(now=True), "value")

    def _arranged(self) -> w.Widget:
        controls = self.controls
        widths = {"subject": 260, "method": 230, "parameters": 200, "predict_from": 290}
        for name, width in widths.items():
            controls[name].layout.width = f"{width}px"
        controls["parameters"].layout.margin = "0 0 0 24px"  # room for 0.0001 before it
        self.channel.layout.width, self.steps.layout.width = "200px", "110px"
        for control in (*controls.values(), self.channel, self.steps):
            control.style = {"description_width": "initial"}
        row = w.Layout(align_items="center", width="100%", overflow="visible")
        told = legend(self.lab.study.target.structures, "truth, dashed white (only to look)")
        self.legend = w.HTML(f"<div class='cdseg-legend'>{told}</div>")
        pictures = [w.VBox(pair) for pair in zip(self.titles, self.pictures, strict=True)]
        right = w.VBox(
            [self.channel, w.HBox(pictures), self.legend, self.bar, self.told],
            layout=w.Layout(width=f"{2 * SIDE + 16}px", flex="0 0 auto"),
        )
        buttons = [self.play, self.pause, self.step, self.reset]
        moved = ("learning_rate", "source_weight", "parameters", "predict_from")
        box = w.VBox(
            [
                w.HTML(STYLE),
                self.clock,
                w.HBox([*buttons, self.steps, controls["subject"], controls["method"]], layout=row),
                w.HBox([controls[name] for name in moved], layout=row),
                self.numbers,
                w.HBox(
                    [fitted(self.figure), right],
                    layout=w.Layout(width="100%", align_items="flex-start"),
                ),
                self.scrub,
                w.HTML(f"<div class='cdseg-note'>{_CAPTION}</div>"),
            ]
        )
        box.add_class("cdseg-lab")
        return box

    def _on_choice(self, name: str, change: Any) -> None:
        self.lab.choose(**{name: change["new"]})

    def _on_steps(self, change: Any) -> None:
        self.lab.steps = change["new"]

    def _with_bar(self, steps: Iterable[int]) -> Iterator[int]:
        """Go through the denoiser's training and show how far it is."""
        todo = list(steps)
        self.bar.value, self.bar.max, self.bar.layout.display = 0, len(todo), None
        try:
            for step in todo:
                yield step
                self.bar.value += 1
        finally:
            self.bar.layout.display = "none"

    def _show(self, step: int) -> None:
        look = self._frame(step)
        self._move_controls()
        self._draw_curves()
        self._draw_pictures(look)
        self.numbers.value = _numbers(self.lab, step, look)
        collapsed = html.escape(model.collapse(self.lab, look))
        self.told.value = f"<div class='cdseg-legend' role='status'>{collapsed}</div>"

    def _move_controls(self) -> None:
        settings = self.lab.settings
        self.steps.options = sorted({*self.steps.options, self.lab.steps})
        self.steps.value = self.lab.steps
        used = {"subject", "method", *settings.used()}
        for name, control in self.controls.items():
            value = getattr(settings, name)
            if isinstance(control, w.SelectionSlider):
                known = [v for _, v in control.options]
                if value not in known:  # set from code
                    control.options = _options([*known, value])
                control.layout.display = None if name in used else "none"
            elif name == "parameters" and value not in [v for _, v in control.options]:
                control.options = (*control.options, (str(value), value))
            control.value, control.disabled = value, name not in used

    def _draw_curves(self) -> None:
        lab = self.lab
        looks = curves.thinned(lab.frames)
        steps = np.array([look.step for look in looks], np.float32)
        with self.figure.batch_update():
            for row, (name, (scale, _, _)) in enumerate(_CURVES.items()):
                now, before = self.figure.data[2 * row : 2 * row + 2]
                values = np.array([scale * getattr(look, name) for look in looks], np.float32)
                now.update(x=steps, y=np.maximum(values, CERTAIN))
                level = scale * getattr(lab.before, name)
                before.update(x=[0, max(10, lab.step_count)], y=[level, level])
            curves.show_cursor(self.figure, self._at)

    def _draw_pictures(self, look: model.Look) -> None:
        channel, lab = self.channel.value, self.lab
        if self._drawn == (lab.before, look, channel):
            return
        self._drawn = (lab.before, look, channel)
        now = f"prediction {model.predicted_from(lab, look.step)}"
        shown = (("the learner, not adapted", lab.before), (now, look))
        for title, picture, (what, seen) in zip(self.titles, self.pictures, shown, strict=True):
            voxels = f"{seen.foreground:,} voxels of foreground"
            title.value = f"<div class='cdseg-legend'><b>{what}</b><br>{voxels}</div>"
            alt = f"Slice of {lab.settings.subject}, {what}: {voxels}, DSC {seen.dsc:.0%}."
            picture.show(encoded(model.shown_slice(lab, seen, channel)), alt)


def _movable(lab: model.TestTimeLab) -> list[tuple[str, str]]:
    """What may move: all norm layers, all weights, or one of the network's named blocks."""
    blocks = getattr(lab.learner.segmenter, "taps", ())
    return [("norm layers", "norm"), ("all weights", "all"), *((name, name) for name in blocks)]


def _options(values: Iterable[float]) -> list[tuple[str, float]]:
    return [(f"{value:g}", value) for value in sorted(set(values))]


def _slider(name: str, values: Iterable[float]) -> w.SelectionSlider:
    slider = w.SelectionSlider(description=name, options=_options(values), continuous_update=False)
    slider.layout = w.Layout(flex="1 1 auto", width="auto")
    slider.add_class("cdseg-main")
    return slider


def _numbers(lab: model.TestTimeLab, step: int, look: model.Look) -> str:
    before = lab.before
    percent = "{:.0%} → {:.0%}".format
    cells = {
        "step": str(step),
        "weights moving": f"{lab.adapting.moving:,}",
        "entropy": f"{before.entropy:.2g} → {look.entropy:.2g}",
        "DSC": percent(before.dsc, look.dsc),
        "calibration error": percent(before.calibration_error, look.calibration_error),
    }
    return numbers_line(cells, lab.player)


def _empty_figure() -> Any:
    """Return the figure: for each curve the run, and the dotted line of the learner."""
    figure = go.FigureWidget().set_subplots(
        rows=len(_CURVES),
        cols=1,
        shared_xaxes=True,
        row_heights=(0.4, 0.3, 0.3),
        vertical_spacing=0.1,
        subplot_titles=[
            f"<span style='color:{c}'>{title}</span>" for _, c, title in _CURVES.values()
        ],
    )
    for row, (name, (_, colour, _)) in enumerate(_CURVES.items(), start=1):
        line = {"color": colour, "width": 3}
        run = go.Scatter(mode="lines+markers", line=line, marker={"size": 8}, name=name)
        run.cliponaxis = False
        before = go.Scatter(mode="lines", line={**line, "width": 2, "dash": "dot"})
        figure.add_traces([run, before], rows=row, cols=1)
    figure.update_layout(curves.LAYOUT, shapes=[curves.cursor(0)])
    figure.update_annotations(font_size=17, xanchor="left", x=0.0)
    figure.update_xaxes(**curves.AXIS, rangemode="tozero")
    figure.update_yaxes(**curves.AXIS, rangemode="tozero")
    figure.update_yaxes(type="log", dtick=1, exponentformat="power", tickfont_size=14, row=1)
    figure.update_yaxes(range=[0, 102], tickvals=[0, 50, 100], row=2)
    figure.update_xaxes(title_text="step", title_standoff=4, row=len(_CURVES))
    figure._config = curves.CONFIG
    return figure
