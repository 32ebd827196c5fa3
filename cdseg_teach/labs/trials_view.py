"""The face of trials: a button that trains with what is stacked, a bar, a line of scores."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as w

from cdseg_teach.labs.clock import Clock
from cdseg_teach.labs.display import Face, live, with_tooltip
from cdseg_teach.labs.stepped_view import TICK_S
from cdseg_teach.labs.trials import Trials
from cdseg_teach.methods.augmentation import Stack

_STYLE = """<style>
.cdseg-trials {font-size: 18px; line-height: 26px; border-collapse: collapse}
.cdseg-trials :is(th, td) {text-align: left; padding: 0 24px 0 0; font-weight: normal}
.cdseg-trials b {font-size: 22px}
</style>"""


class TrialsView(Face):
    """Controls of `Trials`.

    Parameters
    ----------
    trials
        Hold all state that matters.
    stacked
        Gives what to train with, and its name.
    """

    def __init__(self, trials: Trials, stacked: Callable[[], tuple[Stack, str]]) -> None:
        self.trials, self._stacked = trials, stacked
        self.clock = Clock(self._tick)
        self.button = w.Button(layout=w.Layout(width="170px"))
        with_tooltip(
            self.button, f"{trials.steps} steps more with the stack, beside as many without it"
        )
        self.button.on_click(lambda _: self.do(self._pressed))
        self.bar = w.IntProgress(description="Steps", layout=w.Layout(width="260px"))
        self.told = w.HTML()
        row = w.Layout(width="100%", align_items="center")
        self.widget = w.VBox([w.HBox([self.button, self.bar, self.clock], layout=row), self.told])
        self.refresh()

    def _pressed(self) -> None:
        player = self.trials.player
        if player.playing:
            player.pause()
            self.clock.stop()
            return
        self.trials.ask(*self._stacked())
        self.bar.max = self.trials.left
        self.clock.start(player.play())

    def _tick(self, generation: int) -> None:
        player = self.trials.player
        player.tick(generation, TICK_S)
        if not player.playing:
            self.clock.stop()
        self.refresh(str(player.error or ""))

    def refresh(self, message: str = "") -> None:
        """Show how far it is, and what each trial reached."""
        playing = self.trials.player.playing
        self.button.description = "Stop" if playing else "Train with it"
        self.button.icon = "stop" if playing else "play"
        self.bar.layout.visibility = "visible" if playing else "hidden"
        self.bar.value = self.bar.max - self.trials.left
        self.told.value = live(message) if message else self._table()

    def _table(self) -> str:
        trials = self.trials
        lines = "".join(
            f"<tr><td>{html.escape(name)}</td><td><b>{scores.on_target:.0%}</b></td>"
            f"<td><b>{scores.on_source:.0%}</b></td></tr>"
            for name, scores in trials.results.items()
        )
        return (
            f"{_STYLE}<table class='cdseg-trials' role='status' aria-live='polite'><tr>"
            f"<th>{trials.steps} steps more, from slices of S</th><th>DSC on T</th><th>on S</th>"
            f"</tr>{lines}</table><span class='cdseg-note'>Mean over {trials.people} people each; "
            "labels of T are used only to look.</span>"
        )
