"""The contrast lab's face: a dial, four knobs, three pictures and the histograms."""

from __future__ import annotations

import html
from functools import partial

import ipywidgets as w

from cdseg_teach.labs import contrast as model
from cdseg_teach.labs import histograms
from cdseg_teach.labs.display import AltImage, Face, Fit, live, with_tooltip
from cdseg_teach.slices import BLUE, RED, encoded

RANGES = {"TR": (1.0, 4.2), "TE": (0.0, 2.5), "TI": (1.5, 3.7)}  # powers of ten of a millisecond
SIDE = 288  # pixels of a picture
STYLE = """<style>
.cdseg-contrast {font-size: 16px; color: #111; background: #fff; padding: 4px 8px}
.cdseg-contrast .widget-label, .cdseg-contrast select, .cdseg-contrast .widget-readout,
  .cdseg-contrast label, .cdseg-contrast label span {font-size: 16px}
.cdseg-contrast button {font-size: 16px; height: 34px; line-height: 20px}
.cdseg-contrast :is(button, input, select, .noUi-handle):focus-visible {outline: 3px solid
  #0072B2}
.cdseg-contrast h4 {font-size: 16px; margin: 0; line-height: 24px}
.cdseg-contrast .cdseg-note {font-size: 15px; line-height: 20px; color: #333}
</style>"""


class ContrastView(Face):
    """Controls and pictures of a `ContrastLab`."""

    def __init__(self, lab: model.ContrastLab) -> None:
        self.lab = lab
        self._make_controls()
        self.pictures = [
            AltImage(layout=w.Layout(width=f"{SIDE}px", height=f"{SIDE}px")) for _ in range(3)
        ]
        self.figure = histograms.empty_figure(model.LINES, ("source", "this scanner"))
        self.status = w.HTML()
        self.widget = self._arranged()
        self.refresh()

    def _make_controls(self) -> None:
        lab = self.lab
        wide = {
            "layout": w.Layout(width="auto", flex="1 1 0"),
            "style": {"description_width": "96px"},
        }
        self.channel = w.Dropdown(
            description="Channel",
            options=[(n, i) for i, n in enumerate(lab.channels)],
            value=lab.channel,
            layout=w.Layout(width="220px"),
        )
        # No slider here is continuous: what `refresh` sets would come back, rounded, as if the user
        # had moved it.
        self.dial = w.FloatSlider(
            description="Shift", min=0, max=1, step=0.05, continuous_update=False, **wide
        )
        with_tooltip(
            self.dial,
            "0 is the source's scanner, 1 the target's; sets every knob",
        )
        self.knobs: dict[str, w.Widget] = {
            name: w.FloatLogSlider(
                description=f"{name} (ms)",
                min=low,
                max=high,
                step=0.01,
                value=10**low,
                readout_format=".1f",
                continuous_update=False,
                **wide,
            )
            for name, (low, high) in RANGES.items()
        }
        self.knobs["field"] = w.FloatSlider(
            description="Field (T)", min=0.5, max=7, step=0.1, continuous_update=False, **wide
        )
        self.presets = []
        for scanner, shift in ((lab.source, 0.0), (lab.target, 1.0)):
            button = w.Button(description=scanner.name, layout=w.Layout(width="auto"))
            button.on_click(lambda _, shift=shift: self.do(lambda: lab.dial(shift)))
            self.presets.append(with_tooltip(button, f"Set the dial to {shift:g}"))
        self.channel.observe(self.guarded(lab.choose), "value")
        self.dial.observe(self.guarded(lab.dial), "value")
        for name, knob in self.knobs.items():
            knob.observe(self.guarded(partial(lab.turn, name)), "value")

    def _arranged(self) -> w.Widget:
        row = w.Layout(width="100%", align_items="center")
        titles = (f"source: {self.lab.source.name}", "this scanner", "difference to the source")
        columns = [
            w.VBox(
                [w.HTML(f"<h4>{html.escape(title)}</h4>"), picture],
                layout=w.Layout(margin="0 8px 0 0"),
            )
            for title, picture in zip(titles, self.pictures, strict=True)
        ]
        note = (
            f"<div class='cdseg-note'>Difference: <b style='color:{BLUE}'>blue</b> is darker than "
            f"the source, <b style='color:{RED}'>orange-red</b> brighter, white the same. Values "
            "are normalised over the brain, as the networks see them.</div>"
        )
        box = w.VBox(
            [
                w.HTML(STYLE),
                w.HBox([self.channel, *self.presets, self.dial], layout=row),
                w.HBox([self.knobs["TR"], self.knobs["TE"]], layout=row),
                w.HBox([self.knobs["TI"], self.knobs["field"]], layout=row),
                w.HBox([*columns], layout=w.Layout(width="100%", overflow="hidden")),
                self.figure,
                Fit(),
                w.HTML(note),
                self.status,
            ]
        )
        box.add_class("cdseg-contrast")
        return box

    def refresh(self, message: str = "") -> None:
        """Show the lab's state, and a message if something could not be done."""
        with self.updating():
            self.channel.value, self.dial.value = self.lab.channel, self.lab.shift
            values = self.lab.knobs
            for name, knob in self.knobs.items():
                knob.layout.visibility = "visible" if name in values else "hidden"
                if name in values:
                    knob.value = values[name]
        reference, plane = self.lab.planes()
        by_source, by_this, apart = map(self.lab.means, (reference, plane, plane - reference))
        for picture, pixels, alt in zip(
            self.pictures,
            (model.grey(reference), model.grey(plane), model.difference(plane - reference)),
            (f"source: {by_source}", f"this scanner: {by_this}", f"difference: {apart}"),
            strict=True,
        ):
            picture.show(encoded(pixels, (SIDE, SIDE)), alt)
        both = [self.lab.histograms(reference), self.lab.histograms(plane)]
        histograms.fill(self.figure, model.LINES, both)
        self.status.value = live(message or repr(self.lab))
