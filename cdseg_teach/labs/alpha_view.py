"""The α lab's face: controls, one figure, one slice, one line of numbers."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as w

from cdseg_teach.experiments.recording import Frame, RecordedRun
from cdseg_teach.labs import alpha as model
from cdseg_teach.labs import curves
from cdseg_teach.labs.display import AltImage, legend, with_tooltip
from cdseg_teach.labs.stepped_view import (
    STYLE,
    SteppedView,
    digits,
    fitted,
    numbers_line,
    report_at,
)
from cdseg_teach.slices import encoded


class AlphaView(SteppedView):
    """Controls and pictures of an `AlphaLab`; all state that matters is in the lab."""

    lab: model.AlphaLab

    def __init__(self, lab: model.AlphaLab) -> None:
        super().__init__(
            lab,
            play="Train step after step; α can be moved meanwhile",
            step="One step of both players",
            reset="Begin a new run; what is pinned stays",
        )
        self._drawn_map: Frame | None = None
        self._drawn_pin: RecordedRun | None = None
        self._drawn_picture: tuple[Frame, int] | None = None
        self._make_buttons()
        self._make_controls()
        self.figure = curves.empty_figure()
        self.numbers = w.HTML()
        self.picture = AltImage(layout=w.Layout(width="100%", max_width="384px"))
        self.widget = self._arranged()
        lab.changed = self.refresh
        self.refresh(now=True)

    def _make_buttons(self) -> None:
        lab = self.lab
        self.segmenter = self._button(
            "Segmenter step",
            "",
            "One step of the segmenter; the discriminator is frozen",
            lambda: lab.step("segmenter"),
        )
        self.discriminator = self._button(
            "Discriminator step",
            "",
            "One step of the discriminator; the segmenter is frozen",
            lambda: lab.step("discriminator"),
        )
        self.pin = self._button(
            "Pin run", "thumb-tack", "Keep this run as dashed curves, to compare", lambda: lab.pin()
        )
        self.unpin = self._button("Unpin", "", "Take the dashed curves away", lab.unpin)

    def _make_controls(self) -> None:
        lab = self.lab
        values = sorted({*model.ALPHAS, lab.alpha})
        self.alpha = w.SelectionSlider(
            description="α", options=[(f"{v:g}", v) for v in values], value=lab.alpha
        )
        self.alpha.add_class("cdseg-main")
        with_tooltip(self.alpha, "Weight of L_adv in L_seg − α L_adv; the next step uses it")
        self.start = w.Dropdown(description="From", options=lab.starts, value=lab.start)
        with_tooltip(self.start, "Where a run begins; choosing resets")
        self.warm_up = w.Checkbox(description="Warm-up of α", value=lab.warm_up, indent=False)
        with_tooltip(self.warm_up, "α in effect = α × ramp(step)")
        self.joint = w.Checkbox(
            description="Joint batch (resets)", value=lab.joint_batch, indent=False
        )
        with_tooltip(self.joint, "S and T share one batch and its statistics")
        self.flipped = w.Checkbox(
            description="Flipped labels", value=lab.objective == "flipped", indent=False
        )
        with_tooltip(
            self.flipped,
            "The segmenter descends L_adv with S and T swapped, instead of ascending L_adv",
        )
        channels = list(enumerate(lab.study.target.channels))
        shown = (*lab.study.shifted_channels, 0)[0]
        self.channel = w.Dropdown(
            description="Picture", options=[(n, i) for i, n in channels], value=shown
        )
        self.alpha.observe(self._on_alpha, "value")
        self.start.observe(self._guarded(lambda change: lab.reset(change["new"])), "value")
        self.warm_up.observe(
            self._guarded(lambda change: setattr(lab, "warm_up", change["new"])), "value"
        )
        self.flipped.observe(self._guarded(self._on_flipped), "value")
        self.joint.observe(self._guarded(self._on_joint), "value")
        self.channel.observe(lambda _: self.refresh(now=True), "value")

    def _arranged(self) -> w.Widget:
        # What does not fit beside it goes below: a slider without length cannot be moved.
        self.alpha.layout = w.Layout(flex="1 1 auto", width="auto", min_width="340px")
        for dropdown, width in ((self.start, "240px"), (self.channel, "200px")):
            dropdown.layout, dropdown.style = (
                w.Layout(width=width),
                {"description_width": "initial"},
            )
        self.alpha.style = {"description_width": "initial"}
        boxes = {self.warm_up: "150px", self.flipped: "150px", self.joint: "190px"}
        for box, width in boxes.items():
            box.layout = w.Layout(width=width)
        steps = [self.play, self.pause, self.step, self.segmenter, self.discriminator, self.reset]
        row = w.Layout(align_items="center", width="100%", overflow="visible", flex_flow="row wrap")
        told = legend(self.lab.study.target.structures, "truth, dashed white (only to look)")
        self.legend = w.HTML(f"<div class='cdseg-legend'>{told}</div>")
        picture = w.VBox(
            [self.channel, self.picture, self.legend],
            layout=w.Layout(width="33%", max_width="384px", min_width="250px", flex="0 0 auto"),
        )
        box = w.VBox(
            [
                w.HTML(STYLE),
                self.clock,
                w.HBox([*steps, self.pin, self.unpin], layout=row),
                w.HBox([self.alpha, *boxes, self.start], layout=row),
                self.numbers,
                w.HBox(
                    [fitted(self.figure), picture],
                    layout=w.Layout(width="100%", align_items="flex-start"),
                ),
                self.scrub,
                w.HTML(f"<div class='cdseg-note'>{html.escape(_caption(self.lab))}</div>"),
            ]
        )
        box.add_class("cdseg-lab")
        return box

    def _on_flipped(self, change: Any) -> None:
        self.lab.objective = "flipped" if change["new"] else "reversal"

    def _on_joint(self, change: Any) -> None:
        self.lab.joint_batch = change["new"]
        self.lab.reset()

    def _on_alpha(self, change: Any) -> None:
        # Nothing else: it arrives between two ticks, many times while it is dragged.
        if not self._updating:
            self.lab.alpha = change["new"]

    def _show(self, step: int) -> None:
        self._move_controls()
        frame = self._frame(step)
        self._draw_curves(frame)
        self._draw_picture(frame)
        self.numbers.value = _numbers(self.lab, step, frame)

    def _move_controls(self) -> None:
        lab = self.lab
        values = [value for _, value in self.alpha.options]
        self.alpha.value = min(values, key=lambda value: abs(value - lab.alpha))
        self.alpha.description = "α" if lab.alpha in values else f"α (set to {lab.alpha:g})"
        self.start.value, self.warm_up.value, self.joint.value = (
            lab.start,
            lab.warm_up,
            lab.joint_batch,
        )
        self.flipped.value = lab.objective == "flipped"
        self.unpin.disabled = lab.pinned is None

    def _draw_curves(self, frame: Frame) -> None:
        with self.figure.batch_update():
            curves.fill(self.figure, curves.live(self.lab.player.history, self.lab.frames))
            curves.show_cursor(self.figure, self._at)
            if self._drawn_pin is not self.lab.pinned:
                curves.fill(
                    self.figure,
                    curves.of_run(self.lab.pinned) if self.lab.pinned else {},
                    pinned=True,
                )
                self._drawn_pin = self.lab.pinned
            if self._drawn_map is not frame:
                curves.fill_map(self.figure, frame.points, self.lab.recorder.domains)
                self._drawn_map = frame

    def _draw_picture(self, frame: Frame) -> None:
        if self._drawn_picture == (frame, self.channel.value):
            return
        shown = encoded(model.shown_slice(self.lab, frame, self.channel.value))
        told = f"A slice of T with prediction and truth. {model.describe(self.lab, frame)}"
        self.picture.show(shown, told)
        self._drawn_picture = (frame, self.channel.value)


def _numbers(lab: model.AlphaLab, step: int, frame: Frame) -> str:
    report = report_at(lab.player, step)
    cells = {
        "step": str(step),
        "α asked": f"{report.get('alpha_asked', lab.alpha):g}",
        "α in effect": digits(report.get("alpha"), "{:.2g}"),
        "L<sub>seg</sub>": digits(report.get("loss_seg"), "{:.3g}"),
        "L<sub>adv</sub>": digits(report.get("loss_adv"), "{:.3g}"),
        "discriminator": digits(report.get("discriminator_accuracy"), "{:.0%}"),
        "DSC on S": f"{frame.dsc_source:.0%}",
        "DSC on T": f"{frame.dsc_target:.0%}",
    }
    return numbers_line(cells, lab.player)


def _caption(lab: model.AlphaLab) -> str:
    recorder = lab.recorder
    slices = (
        f"{recorder.slices} fixed slices of each of {recorder.subjects} test subjects per domain"
    )
    length = lab.learner.schedule_steps
    decays = f"The learning rate decays until step {length}: reset then. " if length else ""
    return (
        f"{decays}{model.LABELS_ARE_FOR} DSC: averaged weights, {slices}, every few steps. "
        "Features: every tap of the averaged segmenter, averaged over the pixels of a slice that "
        "are not empty, on the same slices. Projection: first two principal components, fitted "
        "once at the start of the run. Dashed curves: the pinned run."
    )
