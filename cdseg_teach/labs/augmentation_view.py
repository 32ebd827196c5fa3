"""The augmentation lab's face: a strength for each transform, five pictures, their histograms."""

from __future__ import annotations

import html
from functools import partial

import ipywidgets as w

from cdseg_teach.labs import augmentation as model
from cdseg_teach.labs import histograms
from cdseg_teach.labs.contrast_view import STYLE
from cdseg_teach.labs.display import AltImage, Face, Fit, live, with_tooltip
from cdseg_teach.labs.trials_view import TrialsView
from cdseg_teach.methods.augmentation import Fourier
from cdseg_teach.slices import encoded

SIDE = 200  # pixels of a picture


class AugmentationView(Face):
    """Controls and pictures of an `AugmentationLab`."""

    def __init__(self, lab: model.AugmentationLab) -> None:
        self.lab = lab
        self._make_controls()
        self.used: dict[str, w.Checkbox] = {}
        self.strengths: dict[str, w.Widget] = {}
        for name, knob in model.KNOBS.items():
            self._make_transform(name, knob)
        rows, columns = lab.subject.image.shape[2:]
        _, y_mm, x_mm = lab.subject.spacing_mm
        self._size = (SIDE, round(SIDE * rows * y_mm / (columns * x_mm)))
        self.pictures = [AltImage(layout=w.Layout(width="100%")) for _ in model.LINES]
        self.figure = histograms.empty_figure(model.LINES, ("",))
        self.status = w.HTML()
        self.trials = lab.trials and TrialsView(lab.trials, lambda: (lab.stack, lab.stacked))
        self.widget = self._arranged()
        self.refresh()

    def _make_controls(self) -> None:
        lab = self.lab
        self.channel = w.Dropdown(
            description="Channel", options=[(n, i) for i, n in enumerate(lab.channels)]
        )
        rows = [("none of them", ""), *((row, row) for row in model.PRESETS)]
        self.preset = w.Dropdown(description="Table's row", options=rows)
        with_tooltip(self.preset, "What a row of the table trains with")
        self.z = w.IntSlider(
            description="Slice", max=lab.subject.image.shape[1] - 1, continuous_update=False
        )
        self.probability = w.FloatSlider(
            description="Probability", max=1, step=0.05, continuous_update=False
        )
        with_tooltip(self.probability, "With which each transform changes a slice")
        self.again = w.Button(description="New draws", icon="random")
        with_tooltip(self.again, "Other random numbers, those of the next seed")
        self.preset.observe(self.guarded(self._choose), "value")
        self.channel.observe(self.guarded(lambda i: lab.look(channel=i)), "value")
        self.z.observe(self.guarded(lambda z: lab.look(z=z)), "value")
        self.probability.observe(
            self.guarded(lambda value: setattr(lab, "probability", value)), "value"
        )
        self.again.on_click(lambda _: self.do(lab.draw_again))

    def _choose(self, row: str) -> None:
        if row:
            self.lab.preset = row

    def _make_transform(self, name: str, knob: model.Knob) -> None:
        lab = self.lab
        used = w.Checkbox(indent=False)
        with_tooltip(used, f"Put {name} at the end of the stack, or take it out")
        whole = knob.kind is Fourier
        strength = (w.IntSlider if whole else w.FloatSlider)(
            description=knob.label,
            max=knob.high,
            step=1 if whole else 0.05,
            value=knob.default,
            continuous_update=False,
        )
        with_tooltip(strength, f"{name}, {knob.label}: {knob.means}; 0 changes nothing")
        used.observe(
            self.guarded(lambda on: lab.use(name, strength.value) if on else lab.drop(name)),
            "value",
        )
        strength.observe(self.guarded(partial(lab.use, name)), "value")
        self.used[name], self.strengths[name] = used, strength

    def _arranged(self) -> w.Widget:
        row = w.Layout(width="100%", align_items="center")
        cells = []
        for name, used in self.used.items():
            used.layout = w.Layout(width="160px", flex="0 0 auto")
            self.strengths[name].layout = _stretched()
            self.strengths[name].style = {"description_width": "110px"}
            cells.append(w.HBox([used, self.strengths[name]], layout=row))
        for slider in (self.z, self.probability):
            slider.layout, slider.style = _stretched(), {"description_width": "initial"}
        for choice, width in ((self.preset, 230), (self.channel, 220)):
            choice.layout = w.Layout(width=f"{width}px", margin="2px 16px 2px 2px")
            choice.style = self.z.style
        columns = [
            w.VBox([w.HTML(f"<h4>{name}</h4>"), picture], layout=w.Layout(max_width=f"{SIDE}px"))
            for name, picture in zip(model.LINES, self.pictures, strict=True)
        ]
        caption = html.escape(self.lab.caption())
        box = w.VBox(
            [
                w.HTML(STYLE),
                w.HBox(
                    [self.preset, self.channel, self.z, self.probability, self.again], layout=row
                ),
                _grid(cells, 2),
                _grid(columns, len(columns)),
                self.figure,
                Fit(),
                self.status,
                *([self.trials.widget] if self.trials else []),
                w.HTML(f"<div class='cdseg-note'>{caption}</div>"),
            ]
        )
        box.add_class("cdseg-contrast").add_class("cdseg-augmentation")
        return box

    def refresh(self, message: str = "") -> None:
        """Show the lab's state, and a message if something could not be done."""
        lab = self.lab
        with self.updating():
            self.preset.value = lab.preset or ""
            self.channel.value, self.z.value = lab.channel, lab.z
            self.probability.value = lab.probability
            places = {name: place for place, name in enumerate(lab.strengths, 1)}
            for name, used in self.used.items():
                used.value = name in places
                used.description = f"{places[name]}. {name}" if name in places else name
                if name in places:
                    self.strengths[name].value = lab.strengths[name]
        planes = lab.planes()
        for picture, name, plane in zip(self.pictures, model.LINES, planes, strict=True):
            picture.show(encoded(lab.picture_of(plane), self._size), f"{name}, {lab.where}")
        histograms.fill(self.figure, model.LINES, [lab.histograms(planes)])
        self.status.value = live(message or lab.in_words(planes))


def _stretched() -> w.Layout:
    return w.Layout(width="auto", flex="1 1 0", min_width="0")


def _grid(cells: list[w.Widget], columns: int) -> w.Widget:
    layout = w.Layout(
        grid_template_columns=f"repeat({columns}, minmax(0, 1fr))", grid_gap="0 16px", width="100%"
    )
    return w.GridBox(cells, layout=layout)
