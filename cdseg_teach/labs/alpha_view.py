"""The α lab's face: controls, one figure, one slice, one line of numbers."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from cdseg_teach.experiments.recording import Frame, RecordedRun
from cdseg_teach.labs import alpha as model
from cdseg_teach.labs import curves
from cdseg_teach.labs.clock import Clock
from cdseg_teach.labs.display import Fit, with_tooltip
from cdseg_teach.slices import OUTLINE, encoded

TICK_S = 0.15  # of work between two looks at sliders and buttons
DRAW_EVERY_S = 0.4  # with 0.3, a fourth of the steps went to redrawing on two cores

STYLE = """<style>
.cdseg-lab {font-size: 16px; color: #111; background: #fff; padding: 4px 8px}
.cdseg-lab button {font-size: 16px; height: 36px; line-height: 20px; border-radius: 4px}
.cdseg-lab .widget-label, .cdseg-lab select, .cdseg-lab .widget-readout, .cdseg-lab label,
  .cdseg-lab label span {font-size: 16px}
.cdseg-lab .cdseg-alpha .widget-readout {font-size: 26px; font-weight: bold; min-width: 72px;
  overflow: visible}
.cdseg-lab .cdseg-alpha .widget-label {font-size: 26px; font-weight: bold}
.cdseg-lab button:focus-visible, .cdseg-lab .noUi-handle:focus-visible {outline: 3px solid
  #0072B2; outline-offset: 1px}
.cdseg-lab .cdseg-numbers {display: grid; grid-auto-flow: column; justify-content: space-between;
  margin: 2px 0}
.cdseg-lab .cdseg-numbers span {display: block; font-size: 15px; line-height: 20px; color: #333;
  white-space: nowrap}
.cdseg-lab .cdseg-numbers sub {line-height: 0}
.cdseg-lab .cdseg-numbers b {display: block; font-size: 26px; line-height: 30px; color: #111;
  font-variant-numeric: tabular-nums}
.cdseg-lab .cdseg-error {color: #a00000; font-weight: bold; font-size: 18px; line-height: 24px}
.cdseg-lab .cdseg-note {font-size: 14px; line-height: 19px; color: #333}
.cdseg-lab .cdseg-plots > div, .cdseg-lab .cdseg-plots .js-plotly-plot {width: 100%; min-width: 0}
.cdseg-lab .cdseg-legend {font-size: 15px; line-height: 20px}
</style>"""


class AlphaView:
    """Controls and pictures of an `AlphaLab`; all state that matters is in the lab."""

    def __init__(self, lab: model.AlphaLab) -> None:
        self.lab = lab
        self.clock = Clock(self._tick)
        self._updating = False
        self._drawn_at = 0.0
        self._at: int | None = None  # the step that is looked back at; None follows the run
        self._drawn_map: Frame | None = None
        self._drawn_pin: RecordedRun | None = None
        self._drawn_picture: tuple[Frame, int] | None = None
        self._make_buttons()
        self._make_controls()
        self.figure = curves.empty_figure()
        self.numbers = w.HTML()
        self.picture = w.Image(format="png", layout=w.Layout(width="100%", max_width="384px"))
        self.widget = self._arranged()
        lab.changed = self.refresh
        self.refresh(now=True)

    def _make_buttons(self) -> None:
        lab = self.lab
        self.play = self._button(
            "Play", "play", "Train step after step; α can be moved meanwhile", self._on_play
        )
        self.pause = self._button(
            "Pause", "pause", "Stop after the step that is being done", self._on_pause
        )
        self.step = self._button(
            "Step", "step-forward", "One step of both players", lambda: lab.step()
        )
        self.reset = self._button(
            "Reset", "undo", "Begin a new run; what is pinned stays", self._on_reset
        )
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
        self.alpha.add_class("cdseg-alpha")
        with_tooltip(self.alpha, "Weight of L_adv in L_seg − α L_adv; the next step uses it")
        self.start = w.Dropdown(description="From", options=lab.starts, value=lab.start)
        with_tooltip(self.start, "Where a run begins; choosing resets")
        self.warm_up = w.Checkbox(description="Warm-up of α", value=lab.warm_up, indent=False)
        with_tooltip(self.warm_up, "α in effect = α × ramp(step)")
        self.joint = w.Checkbox(
            description="Joint batch (resets)", value=lab.joint_batch, indent=False
        )
        with_tooltip(self.joint, "S and T share one batch and its statistics")
        channels = list(enumerate(lab.study.target.channels))
        shown = (*lab.study.shifted_channels, 0)[0]
        self.channel = w.Dropdown(
            description="Picture", options=[(n, i) for i, n in channels], value=shown
        )
        # Not continuous: a continuous slider sends its old value back whenever its range grows, as
        # if the user had moved it.
        self.scrub = w.IntSlider(description="Back to step", min=0, max=1, continuous_update=False)
        with_tooltip(self.scrub, "Look back through the run; Play goes on from its end")
        self.alpha.observe(self._on_alpha, "value")
        self.start.observe(self._guarded(lambda change: lab.reset(change["new"])), "value")
        self.warm_up.observe(
            self._guarded(lambda change: setattr(lab, "warm_up", change["new"])), "value"
        )
        self.joint.observe(self._guarded(self._on_joint), "value")
        self.channel.observe(lambda _: self.refresh(now=True), "value")
        self.scrub.observe(self._guarded(self._on_scrub), "value")

    def _arranged(self) -> w.Widget:
        for slider in (self.alpha, self.scrub):
            slider.layout = w.Layout(flex="1 1 auto", width="auto")
        for dropdown, width in ((self.start, "240px"), (self.channel, "200px")):
            dropdown.layout, dropdown.style = (
                w.Layout(width=width),
                {"description_width": "initial"},
            )
        self.scrub.style = self.alpha.style = {"description_width": "initial"}
        for box, width in ((self.warm_up, "150px"), (self.joint, "190px")):
            box.layout = w.Layout(width=width)
        steps = [self.play, self.pause, self.step, self.segmenter, self.discriminator, self.reset]
        row = w.Layout(align_items="center", width="100%", overflow="visible")
        legend = (
            f"<div class='cdseg-legend'><b style='color:{OUTLINE['prediction']}'>━</b> "
            "prediction on T, full line<br><b>┅</b> truth, dashed white (only to look)</div>"
        )
        picture = w.VBox(
            [self.channel, self.picture, w.HTML(legend)],
            layout=w.Layout(width="384px", flex="0 0 auto"),
        )
        plots = w.VBox(
            [self.figure, Fit()],
            layout=w.Layout(flex="1 1 0", width="auto", min_width="0", overflow="hidden"),
        )
        plots.add_class("cdseg-plots")
        box = w.VBox(
            [
                w.HTML(STYLE),
                self.clock,
                w.HBox([*steps, self.pin, self.unpin], layout=row),
                w.HBox([self.alpha, self.warm_up, self.joint, self.start], layout=row),
                self.numbers,
                w.HBox([plots, picture], layout=w.Layout(width="100%", align_items="flex-start")),
                self.scrub,
                w.HTML(f"<div class='cdseg-note'>{html.escape(_caption(self.lab))}</div>"),
            ]
        )
        box.add_class("cdseg-lab")
        return box

    def _button(self, text: str, icon: str, tooltip: str, act: Callable[[], Any]) -> w.Button:
        button = w.Button(description=text, icon=icon, layout=w.Layout(width="auto"))
        with_tooltip(button, tooltip)
        button.on_click(lambda _: self._try(act))
        return button

    def _try(self, act: Callable[[], Any]) -> None:
        """Do what a button asks for; an error is shown in the lab, where the room looks."""
        self._at = None
        try:
            act()
        except Exception as problem:
            self.lab.player.error = problem
        if not self.lab.player.playing:
            self.clock.stop()
        self.refresh(now=True)

    def _guarded(self, act: Callable[[Any], Any]) -> Callable[[Any], None]:
        """Tell what the user does to a control from what `refresh` does to it."""
        return lambda change: None if self._updating else self._try(lambda: act(change))

    def _on_play(self) -> None:
        self.clock.start(self.lab.player.play())

    def _on_pause(self) -> None:
        self.lab.player.pause()

    def _on_reset(self) -> None:
        self.lab.reset()

    def _on_joint(self, change: Any) -> None:
        self.lab.joint_batch = change["new"]
        self.lab.reset()

    def _on_alpha(self, change: Any) -> None:
        # Nothing else: it arrives between two ticks, many times while it is dragged.
        if not self._updating:
            self.lab.alpha = change["new"]

    def _on_scrub(self, change: Any) -> None:
        self.lab.player.pause()
        self._at = change["new"]

    def _tick(self, generation: int) -> None:
        self.lab.player.tick(generation, TICK_S)
        if not self.lab.player.playing:
            self.clock.stop()
        self.refresh(now=not self.lab.player.playing)

    def refresh(self, now: bool = False) -> None:
        """Show the lab's state, at most every `DRAW_EVERY_S` seconds unless it has to be now."""
        if not now and time.perf_counter() - self._drawn_at < DRAW_EVERY_S:
            return
        self._updating = True
        try:
            self._move_controls()
            step = self.lab.step_count if self._at is None else self._at
            frame = max(
                (f for f in self.lab.frames if f.step <= step),
                key=lambda f: f.step,
                default=self.lab.frames[0],
            )
            self._draw_curves(frame)
            self._draw_picture(frame)
            self.numbers.value = _numbers(self.lab, step, frame)
        finally:
            self._updating = False
            self._drawn_at = time.perf_counter()

    def _move_controls(self) -> None:
        lab, history = self.lab, self.lab.player.history
        values = [value for _, value in self.alpha.options]
        self.alpha.value = min(values, key=lambda value: abs(value - lab.alpha))
        self.alpha.description = "α" if lab.alpha in values else f"α (set to {lab.alpha:g})"
        self.start.value, self.warm_up.value, self.joint.value = (
            lab.start,
            lab.warm_up,
            lab.joint_batch,
        )
        self.unpin.disabled = lab.pinned is None
        self.play.button_style = "" if lab.player.playing else "primary"
        first = int(history[0]["step"]) - 1 if history else lab.step_count
        if self._at is not None and not first <= self._at < lab.step_count:
            self._at = None
        with self.scrub.hold_sync():
            self.scrub.min, self.scrub.max = (
                min(first, self.scrub.max),
                max(lab.step_count, first + 1),
            )
            self.scrub.min = first
            self.scrub.value = lab.step_count if self._at is None else self._at

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
        self.picture.value = encoded(model.shown_slice(self.lab, frame, self.channel.value))
        self._drawn_picture = (frame, self.channel.value)


def _numbers(lab: model.AlphaLab, step: int, frame: Frame) -> str:
    """Return the line of numbers, read aloud when the run pauses, not at every step."""
    history = lab.player.history
    at = step - int(history[0]["step"]) if history else -1
    report = history[at] if 0 <= at < len(history) else {}
    playing = lab.player.playing
    cells = {
        "run": "playing" if playing else "paused",
        "step": str(step),
        "α asked": f"{report.get('alpha_asked', lab.alpha):g}",
        "α in effect": _digits(report.get("alpha"), "{:.2g}"),
        "L<sub>seg</sub>": _digits(report.get("loss_seg"), "{:.3g}"),
        "L<sub>adv</sub>": _digits(report.get("loss_adv"), "{:.3g}"),
        "discriminator": _digits(report.get("discriminator_accuracy"), "{:.0%}"),
        "DSC on S": f"{frame.dsc_source:.0%}",
        "DSC on T": f"{frame.dsc_target:.0%}",
    }
    line = "".join(f"<span>{name} <b>{value}</b></span>" for name, value in cells.items())
    live = "off" if playing else "polite"
    text = f"<div class='cdseg-numbers' role='status' aria-live='{live}'>{line}</div>"
    error = lab.player.error
    if error is not None:
        said = html.escape(f"{type(error).__name__}: {error}")
        text += f"<div class='cdseg-error' role='alert'>{said}</div>"
    return text


def _digits(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


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
