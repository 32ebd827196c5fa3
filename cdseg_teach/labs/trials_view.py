"""The face of trials: a button that trains with what is stacked, a bar, a line of scores."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from cdseg_teach.labs.clock import Clock
from cdseg_teach.labs.display import Face, live, with_tooltip
from cdseg_teach.labs.trials import Trials
from cdseg_teach.methods.augmentation import Stack

TICK_S = 0.15  # of work between two looks at sliders and buttons


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
        self.told.value = live(message or self.trials.in_words())
