"""Ask before showing: a guess is locked, then it stands beside what happened."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as w

from .display import Shown

STYLE = """<style>
.cdseg-predict {font-size: 18px; color: #111; padding: 8px 12px; border-left: 6px solid #0072B2; background: #f4f8fb}
.cdseg-predict button {font-size: 17px; height: auto; line-height: 24px; padding: 4px 14px; white-space: normal}
.cdseg-predict button:focus-visible {outline: 3px solid #0072B2}
.cdseg-predict .widget-label, .cdseg-predict .widget-readout {font-size: 17px}
.cdseg-predict .widget-html-content {font-size: 18px; line-height: 26px}
</style>"""


class Predict(Shown):
    """A question before a demonstration.

    Parameters
    ----------
    question
        One sentence.
    choices
        The possible answers, one a button; or, for a number, leave them out and give `between`.
    between
        Lowest and highest number, whole numbers.
    unit
        Of the number, such as "%".

    Examples
    --------
    guess = Predict("What happens to the DSC on T when α grows from 1 to 100?", ["rises", "stays", "falls"])
    guess.reveal("falls", "the features lose what tells lesions apart")
    """

    def __init__(
        self,
        question: str,
        choices: Sequence[Any] = (),
        *,
        between: tuple[int, int] = (0, 100),
        unit: str = "",
    ) -> None:
        self.question, self.choices = question, [str(choice) for choice in choices]
        self.between, self.unit = between, unit
        self.guess: str | None = None
        self.answer: str | None = None

    @property
    def locked(self) -> bool:
        """Whether a guess was made; it cannot be changed afterwards."""
        return self.guess is not None

    def lock(self, guess: Any) -> None:
        """Make a guess, as a click does; the first one counts."""
        if not self.locked and self.answer is None:
            self.guess = str(guess)
            self._update()

    def reveal(self, answer: Any, because: str = "") -> Revealed:
        """Show the guess beside what happened, here and in the cell that calls this."""
        self.answer = str(answer)
        self._update()
        return Revealed(self, because)

    def told(self) -> str:
        """Say what was guessed, and what happened once that is known."""
        guessed = f"Your guess: {self._said(self.guess)}." if self.locked else "No guess was made."
        return guessed if self.answer is None else f"{guessed} What happened: {self._said(self.answer)}."

    def __repr__(self) -> str:
        low, high = self.between
        options = " / ".join(self.choices) or f"{low} to {high} {self.unit}".rstrip()
        return f"Predict: {self.question} ({options})"

    def build(self) -> w.Widget:
        """Return the widget: the question, a button for each choice or a slider, and what was said."""
        self._slider = w.IntSlider(
            min=self.between[0], max=self.between[1], value=sum(self.between) // 2, description=self.unit,
            layout=w.Layout(width="420px"),
        )  # fmt: skip
        named = self.choices or ["Lock my guess"]
        self._buttons = [w.Button(description=name, layout=w.Layout(width="auto")) for name in named]
        for button in self._buttons:
            button.on_click(self._clicked)
        self._told = w.HTML()
        question = w.HTML(f"{STYLE}<b>{html.escape(self.question)}</b>")
        controls = w.HBox([*([] if self.choices else [self._slider]), *self._buttons], layout=w.Layout(flex_flow="row wrap"))
        box = w.VBox([question, controls, self._told])
        box.add_class("cdseg-predict")
        self._widget = box
        self._update()
        return box

    def _clicked(self, button: w.Button) -> None:
        self.lock(button.description if self.choices else self._slider.value)

    def _said(self, value: str | None) -> str:
        return f"{value} {self.unit}".rstrip() if value is not None else "–"

    def _update(self) -> None:
        if self._widget is None:
            return
        closed = self.locked or self.answer is not None
        self._slider.disabled = closed
        for button in self._buttons:
            button.disabled = closed
            button.button_style = "info" if self.locked and button.description == self.guess else ""
        text = self.told() if closed else "Choose: your guess is locked with the click."
        self._told.value = f"<span role='status' aria-live='polite'>{html.escape(text)}</span>"


class Revealed(Shown):
    """What `Predict.reveal` shows: the guess beside what happened."""

    def __init__(self, predict: Predict, because: str) -> None:
        self.predict, self.because = predict, because

    def __repr__(self) -> str:
        # A number may differ between machines, and the text of a cell is compared by nbval.
        happened = self.predict.answer if self.predict.choices else "see the number above"
        return f"What happened: {happened}"

    def build(self) -> w.Widget:
        """Return the widget: the question, the guess and the answer."""
        right = self.predict.locked and self.predict.guess == self.predict.answer and "✓ "
        lines = [f"<b>{html.escape(self.predict.question)}</b>", f"{right or ''}{html.escape(self.predict.told())}"]
        box = w.VBox([w.HTML(STYLE + "<br>".join([*lines, html.escape(self.because)]))])
        box.add_class("cdseg-predict")
        return box
