"""What the faces of labs that take steps share: the clock, buttons, errors, looking back."""

from __future__ import annotations

import html
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as w

from cdseg_teach.labs.clock import Clock
from cdseg_teach.labs.display import Fit, with_tooltip
from cdseg_teach.labs.player import Player

TICK_S = 0.15  # of work between two looks at sliders and buttons
DRAW_EVERY_S = 0.4  # with 0.3, a fourth of the steps went to redrawing on two cores

STYLE = """<style>
.cdseg-lab {font-size: 16px; color: #111; background: #fff; padding: 4px 8px}
.cdseg-lab button {font-size: 16px; height: 36px; line-height: 20px; border-radius: 4px}
.cdseg-lab .widget-label, .cdseg-lab select, .cdseg-lab .widget-readout, .cdseg-lab label,
  .cdseg-lab label span {font-size: 16px}
.cdseg-lab .cdseg-main .widget-readout {font-size: 26px; font-weight: bold; min-width: 72px;
  overflow: visible}
.cdseg-lab .cdseg-main .widget-label {font-size: 26px; font-weight: bold; line-height: 34px;
  height: 34px}
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


class SteppedView(ABC):
    """The controls of a lab's `player`, by hand and by the browser's clock.

    Parameters
    ----------
    lab
        Holds all state that matters: `player`, `step_count`, `frames`, `step()` and `reset()`.
    play, step, reset
        What the tooltips of these buttons say.
    """

    def __init__(self, lab: Any, *, play: str, step: str, reset: str) -> None:
        self.lab = lab
        self.clock = Clock(self._tick)
        self._updating = False
        self._drawn_at = 0.0
        self._at: int | None = None  # the step that is looked back at; None follows the run
        self.play = self._button("Play", "play", play, self._on_play)
        self.pause = self._button(
            "Pause", "pause", "Stop after the step that is being done", lab.player.pause
        )
        self.step = self._button("Step", "step-forward", step, lambda: lab.step())
        self.reset = self._button("Reset", "undo", reset, lambda: lab.reset())
        # Not continuous: a continuous slider sends its old value back whenever its range grows, as
        # if the user had moved it.
        self.scrub = w.IntSlider(description="Back to step", min=0, max=1, continuous_update=False)
        with_tooltip(self.scrub, "Look back through the run; Play goes on from its end")
        self.scrub.layout = w.Layout(flex="1 1 auto", width="auto")
        self.scrub.style = {"description_width": "initial"}
        self.scrub.observe(self._guarded(self._on_scrub), "value")

    @abstractmethod
    def _show(self, step: int) -> None:
        """Show the lab's controls as they are, and its run as it was after a step."""

    def refresh(self, now: bool = False) -> None:
        """Show the lab's state, at most every `DRAW_EVERY_S` seconds unless it has to be now."""
        if not now and time.perf_counter() - self._drawn_at < DRAW_EVERY_S:
            return
        self._updating = True
        try:
            self.play.button_style = "" if self.lab.player.playing else "primary"
            self._move_scrub()
            self._show(self.lab.step_count if self._at is None else self._at)
        finally:
            self._updating = False
            self._drawn_at = time.perf_counter()

    def _frame(self, step: int) -> Any:
        """What was seen last when that step was done."""
        frames = self.lab.frames
        seen = (frame for frame in frames if frame.step <= step)
        return max(seen, key=lambda frame: frame.step, default=frames[0])

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

    def _on_scrub(self, change: Any) -> None:
        self.lab.player.pause()
        self._at = change["new"]

    def _tick(self, generation: int) -> None:
        self.lab.player.tick(generation, TICK_S)
        if not self.lab.player.playing:
            self.clock.stop()
        self.refresh(now=not self.lab.player.playing)

    def _move_scrub(self) -> None:
        lab, history = self.lab, self.lab.player.history
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


def fitted(figure: Any) -> w.Widget:
    """Return a plotly figure in a box that takes the width that is left."""
    box = w.VBox(
        [figure, Fit()],
        layout=w.Layout(flex="1 1 0", width="auto", min_width="0", overflow="hidden"),
    )
    box.add_class("cdseg-plots")
    return box


def report_at(player: Player, step: int) -> dict[str, float]:
    """Return what a step reported, or nothing where it is not kept."""
    history = player.history
    at = step - int(history[0]["step"]) if history else -1
    return history[at] if 0 <= at < len(history) else {}


def numbers_line(cells: Mapping[str, str], player: Player) -> str:
    """Return a line of numbers as HTML, read aloud when the run pauses, not at every step."""
    cells = {"run": "playing" if player.playing else "paused"} | dict(cells)
    line = "".join(f"<span>{name} <b>{value}</b></span>" for name, value in cells.items())
    live = "off" if player.playing else "polite"
    text = f"<div class='cdseg-numbers' role='status' aria-live='{live}'>{line}</div>"
    if player.error is not None:
        said = html.escape(f"{type(player.error).__name__}: {player.error}")
        text += f"<div class='cdseg-error' role='alert'>{said}</div>"
    return text


def digits(value: float | None, form: str) -> str:
    """Return a number in a form such as "{:.2g}", or a dash where there is none."""
    return "–" if value is None else form.format(value)
