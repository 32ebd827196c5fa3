"""Ask before showing: a guess is locked, then it stands beside what happened."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from cdseg_teach.labs.display import Shown

STYLE = """<style>
.cdseg-predict {font-size: 18px; color: #111; padding: 8px 12px; border-left: 6px solid #0072B2;
  background: #f4f8fb}
.cdseg-predict button {font-size: 17px; height: auto; line-height: 24px; padding: 4px 14px;
  white-space: normal}
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
    guess = Predict("The DSC on T, when α grows from 1 to 100?", ["rises", "stays", "falls"])
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
        self._told_of: list[Callable[[], None]] = []

    @property
    def locked(self) -> bool:
        """Whether a guess was made; it cannot be changed afterwards."""
        return self.guess is not None

    def lock(self, guess: Any) -> None:
        """Make a guess, as a click does; the first one counts."""
        if not self.locked:
            self.guess = str(guess)
            for tell in self._told_of:
                tell()

    def reveal(self, answer: Any, because: str = "") -> Revealed:
        """Show what happened beside the guess, and nothing until there is one.

        "Run all" must not give the answer away.
        """
        return Revealed(self, str(answer), because)

    def __repr__(self) -> str:
        low, high = self.between
        options = " / ".join(self.choices) or f"{low} to {high} {self.unit}".rstrip()
        return f"Predict: {self.question} ({options})"

    def build(self) -> w.Widget:
        """Return the widget: the question, a button for each choice or a slider."""
        self._slider = w.IntSlider(
            min=self.between[0],
            max=self.between[1],
            value=sum(self.between) // 2,
            description=self.unit,
            layout=w.Layout(width="420px"),
        )
        named = self.choices or ["Lock my guess"]
        self._buttons = [
            w.Button(description=name, layout=w.Layout(width="auto")) for name in named
        ]
        for button in self._buttons:
            button.on_click(self._clicked)
        self._told = w.HTML()
        question = w.HTML(f"{STYLE}<b>{html.escape(self.question)}</b>")
        controls = w.HBox(
            [*([] if self.choices else [self._slider]), *self._buttons],
            layout=w.Layout(flex_flow="row wrap"),
        )
        box = w.VBox([question, controls, self._told])
        box.add_class("cdseg-predict")
        self._told_of.append(self._update)
        self._update()
        return box

    def _clicked(self, button: w.Button) -> None:
        self.lock(button.description if self.choices else self._slider.value)

    def said(self, value: str) -> str:
        """Return an answer with its unit."""
        return f"{value} {self.unit}".rstrip()

    def _update(self) -> None:
        self._slider.disabled = self.locked
        for button in self._buttons:
            button.disabled = self.locked
            button.button_style = "info" if self.locked and button.description == self.guess else ""
        text = (
            f"Locked: {self.said(self.guess)}."
            if self.guess is not None
            else "Your guess is locked with the click."
        )
        self._told.value = f"<span role='status' aria-live='polite'>{html.escape(text)}</span>"


class Revealed(Shown):
    """What `Predict.reveal` shows: what happened beside the guess."""

    def __init__(self, predict: Predict, answer: str, because: str) -> None:
        self.predict, self.answer, self.because = predict, answer, because

    def told(self) -> str:
        """Say what was guessed and what happened."""
        guess = self.predict.guess
        guessed = (
            "No guess was made." if guess is None else f"Your guess: {self.predict.said(guess)}."
        )
        right = " ✓" if guess == self.answer else ""
        happened = f"What happened: {self.predict.said(self.answer)}.{right}"
        return f"{guessed} {happened} {self.because}".strip()

    def __repr__(self) -> str:
        # A number may differ between machines, and the text of a cell is compared by nbval.
        shown = self.answer if self.predict.choices else "a number, shown in the widget"
        return f"What happened: {shown}"

    def build(self) -> w.Widget:
        """Return the widget: covered until a guess is locked or one asks for the answer."""
        self._text = w.HTML()
        self._ask = w.Button(description="Show it without a guess", layout=w.Layout(width="auto"))
        self._ask.on_click(lambda _: self._uncover())
        box = w.VBox(
            [w.HTML(f"{STYLE}<b>{html.escape(self.predict.question)}</b>"), self._text, self._ask]
        )
        box.add_class("cdseg-predict")
        self._text.value = "Make your guess above: then it stands here beside what happened."
        if self.predict.locked:
            self._uncover()
        else:
            self.predict._told_of.append(self._uncover)
        return box

    def _uncover(self) -> None:
        self._ask.layout.display = "none"
        self._text.value = (
            f"<span role='status' aria-live='polite'>{html.escape(self.told())}</span>"
        )
