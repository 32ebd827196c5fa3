"""The browser's clock: one tick in flight, and none when the tab is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets


class Clock(anywidget.AnyWidget):
    """A widget without a face that asks the kernel for work again and again while `playing`.

    The browser sends a tick, waits until the kernel counts `number` up, and sends the next one;
    messages of sliders and buttons are handled in between. A tick names the generation and its
    number, so the ticks of an earlier play, or of a second window on the same notebook, are
    recognised and dropped.

    Parameters
    ----------
    on_tick
        Called with the generation of the tick; does a short portion of work (about 0.2 s).
    """

    _esm = """
    function initialize({ model }) {
      const tick = () => {
        if (model.get("playing"))
          model.send({
            kind: "tick", generation: model.get("generation"), number: model.get("number"),
          });
      };
      model.on("change:number", () => setTimeout(tick, 0));  // the kernel is done, or begins
      tick();
    }
    function render({ el }) { el.style.display = "none"; }
    export default { initialize, render };
    """

    playing = traitlets.Bool(False).tag(sync=True)
    generation = traitlets.Int(0).tag(sync=True)
    number = traitlets.Int(0).tag(sync=True)

    def __init__(self, on_tick: Callable[[int], None]) -> None:
        super().__init__()
        self._on_tick = on_tick
        self.on_msg(self._answer)

    def start(self, generation: int) -> None:
        """Begin to tick for this generation."""
        # One message: all three are new when the browser hears of the number.
        with self.hold_sync():
            self.playing, self.generation = True, generation
            self.number += 1

    def stop(self) -> None:
        """Let no further tick be sent."""
        self.playing = False

    def _answer(self, _: Any, message: dict[str, Any], __: Any) -> None:
        if message.get("kind") != "tick" or message.get("number") != self.number:
            return
        try:
            self._on_tick(int(message["generation"]))
        finally:
            self.number += 1  # the acknowledgement
