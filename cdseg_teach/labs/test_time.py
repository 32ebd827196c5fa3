"""The test-time lab: a trained network adapts to one patient of T, step by step.

This module is the lab without its controls, so that `lab.run(10)` needs no browser;
`test_time_view` draws it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from scipy.special import entr
from torch import nn

from cdseg_teach import plots, slices
from cdseg_teach.cohorts.study import Study
from cdseg_teach.evaluation import calibration_error, dsc
from cdseg_teach.experiments.facts import NEAR_MM
from cdseg_teach.labs.display import Shown
from cdseg_teach.labs.player import Player
from cdseg_teach.methods import Learner
from cdseg_teach.methods.test_time import (
    Adaptation,
    BatchStatistics,
    ClassPrior,
    DenoisingPrior,
    Tent,
    denoiser_of,
)
from cdseg_teach.methods.test_time.denoiser import BAR, Progress
from cdseg_teach.problems import Problem

# Method -> its class, and which of the settings it has.
METHODS: dict[str, tuple[type[Adaptation], tuple[str, ...]]] = {
    "batch statistics": (BatchStatistics, ("source_weight",)),
    "TENT": (Tent, ("learning_rate", "parameters", "predict_from")),
    "class prior": (ClassPrior, ("learning_rate", "parameters", "predict_from")),
    "denoising prior": (DenoisingPrior, ("learning_rate", "predict_from")),
}
KEEP = 512  # looks; beyond it every second one goes


@dataclass(frozen=True)
class Settings:
    """What a run begins with: a subject's name, one of `METHODS`, and their own parameters."""

    subject: str
    method: str = "TENT"
    learning_rate: float = 1e-3
    parameters: str = "norm"
    source_weight: float = 0.0
    predict_from: str = "after"

    def used(self) -> dict[str, Any]:
        """Return the parameters that the method has."""
        return {name: getattr(self, name) for name in METHODS[self.method][1]}


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of the prediction after one step.

    `mask` [Y, X] of the slice shown, `foreground` in voxels, mean `entropy` in nats; DSC, and
    calibration error near the truth, in 0..1.
    """

    step: int
    mask: np.ndarray
    foreground: int
    entropy: float
    dsc: float
    calibration_error: float


class TestTimeLab(Shown):
    """Test-time adaptation, live, to one test subject of T.

    Whatever is chosen begins a new run, with a copy of the learner as it is; the learner is never
    changed.

    Parameters
    ----------
    learner
        Trained on S.
    study
        Whose target test subjects, those with a label, are there to choose from.
    denoiser
        Of the denoising prior, `lab.denoiser` of another lab; without it, one is trained when it is
        first needed, which takes seconds.
    steps
        Play pauses at every multiple of it; pressed again, it goes on. A live attribute.
    settings
        All others are `Settings`: subject (a name), method, learning_rate, parameters, ...

    Raises
    ------
    Problem
        If no test subject of T has a label, or a setting is none.

    Examples
    --------
    lab = TestTimeLab(learner, study, learning_rate=0.1); lab.run(10); lab.choose(method="TENT")
    """

    __test__ = False  # pytest would take the name for that of a test

    def __init__(
        self,
        learner: Learner,
        study: Study,
        *,
        denoiser: nn.Module | None = None,
        steps: int = 40,
        **settings: Any,
    ) -> None:
        self.learner, self.study, self._denoiser = learner, study, denoiser
        self.steps = steps
        self.subjects = {s.name: s for s in study.target.test if s.label is not None}
        if not self.subjects:
            raise Problem(
                f"cohort {study.target.name} has no test subject with a label to compare with; "
                "add one"
            )
        # The view listens here, and shows the training of the denoiser; now: do not skip it.
        self.changed: Callable[[bool], None] = lambda now: None
        self.progress: Progress = BAR
        self.player = Player(self._advance)
        self._begin(replace(Settings(next(iter(self.subjects))), **settings))

    @property
    def step_count(self) -> int:
        """Updates that were done."""
        return self.adapting.steps_done

    @property
    def steps(self) -> int:
        """How many steps Play takes before it pauses."""
        return self._steps

    @steps.setter
    def steps(self, value: int) -> None:
        if not isinstance(value, int) or value < 1:
            raise Problem(f"{value!r} steps cannot be taken; use a whole number from 1 up")
        self._steps = value

    @property
    def denoiser(self) -> nn.Module:
        """What the denoising prior takes for plausible; trained on labels of S when first asked."""
        if self._denoiser is None:
            self._denoiser = denoiser_of(self.learner, progress=self.progress)
        return self._denoiser

    def choose(self, **settings: Any) -> None:
        """Begin a new run with other `Settings`; those that are not named stay."""
        self.player.pause()
        self._begin(replace(self.settings, **settings))
        self.changed(True)

    def reset(self) -> None:
        """Begin anew, from the learner's own weights."""
        self.choose()

    def run(self, n: int) -> None:
        """Do n steps at once: the same steps and numbers as n steps of the clock."""
        self.player.run(n, after=lambda: self.changed(False))
        self.changed(True)

    def step(self) -> dict[str, float]:
        """Do one step; returns what the method reports of it."""
        self.player.pause()
        report = self.player.step()
        self.changed(True)
        return report

    def _begin(self, settings: Settings) -> None:
        # What cannot be done is refused before anything of the last run is forgotten.
        subject = self.subjects.get(settings.subject)
        if subject is None:
            known = ", ".join(self.subjects)
            raise Problem(f"subject {settings.subject!r}: this lab has {known}")
        adapting = self._method(settings).begin(subject.image)

        def begin() -> None:
            self.settings, self.subject, self.adapting = settings, subject, adapting
            self.slice = subject.telling_slice()
            self.before = self._look(self.learner.predict_probabilities(subject.image), step=0)
            self.frames = [self._look(adapting.predict_probabilities(), step=0)]

        self.player.reset(begin)

    def _method(self, settings: Settings) -> Adaptation:
        if settings.method not in METHODS:
            raise Problem(f"method {settings.method!r}: this lab has {', '.join(METHODS)}")
        options = settings.used()
        if settings.method == "denoising prior":
            options["denoiser"] = self.denoiser
        return METHODS[settings.method][0](self.learner, **options)

    def _advance(self) -> dict[str, float]:
        report = self.adapting.step()
        if len(self.frames) == KEEP:
            del self.frames[1::2]
        self.frames.append(self._look(self.adapting.predict_probabilities(), self.step_count))
        if self.step_count % self.steps == 0:
            self.player.pause()
        return {**report, "step": float(self.step_count)}

    def _look(self, probabilities: np.ndarray, step: int) -> Look:
        subject = self.subject
        label, mask = subject.label, probabilities.argmax(axis=0).astype(np.uint8)
        assert label is not None
        structures = range(1, len(self.study.target.structures) + 1)
        return Look(
            step=step,
            mask=mask[self.slice],
            foreground=int((mask > 0).sum()),
            entropy=float(entr(probabilities).sum(axis=0).mean()),
            dsc=float(np.mean([dsc(mask == k, label == k) for k in structures])),
            calibration_error=calibration_error(
                probabilities, label, near_mm=NEAR_MM, spacing_mm=subject.spacing_mm
            ),
        )

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.settings.used().items())
        who = f"{self.study.name}, {self.settings.subject}, {self.settings.method}"
        return f"TestTimeLab({who}, {chosen}, step {self.step_count})"

    def build(self) -> Any:
        """Return the widget: controls, curves, the mask before and now."""
        from cdseg_teach.labs.test_time_view import TestTimeView

        return TestTimeView(self).widget

    def still(self) -> tuple[bytes, str]:
        """Return the state as a PNG and its alternative text."""
        return plots.png(_picture(self))


def predicted_from(lab: TestTimeLab, step: int) -> str:
    """Say which weights the prediction at a step comes from."""
    if step == 0 or lab.adapting.moving == 0:
        return "without an update"
    return f"{lab.settings.predict_from} update {step}"


def collapse(lab: TestTimeLab, look: Look) -> str:
    """Say what happened if nothing is left of the foreground, and nothing otherwise."""
    if look.foreground or not lab.before.foreground:
        return ""
    return (
        "Collapsed: every voxel is background, which is the cheapest way to be sure everywhere. "
        "Entropy goes to 0, and nothing is found."
    )


def explained(lab: TestTimeLab, look: Look) -> str:
    """Say in words what a look shows."""
    before = lab.before
    text = (
        f"Step {look.step} of {lab.settings.method} on {lab.settings.subject} (prediction "
        f"{predicted_from(lab, look.step)}). From the learner without adaptation to now: entropy "
        f"{before.entropy:.2g} to {look.entropy:.2g} nats, DSC {before.dsc:.0%} to {look.dsc:.0%}, "
        f"calibration error near the truth {before.calibration_error:.0%} to "
        f"{look.calibration_error:.0%}. {collapse(lab, look)}"
    )
    return text.rstrip()


def shown_slice(lab: TestTimeLab, look: Look, channel: int | None = None) -> np.ndarray:
    """Return uint8 [Y, X, 3]: the slice with prediction and truth; several structures in colour."""
    if channel is None:
        channel = (*lab.study.shifted_channels, 0)[0]
    subject, z = lab.subject, lab.slice
    assert subject.label is not None
    many = len(lab.study.target.structures)
    return slices.slice_picture(subject, channel, z, look.mask, subject.label[z], structures=many)


def _picture(lab: TestTimeLab) -> plots.Picture:
    """Draw entropy, DSC and calibration error over steps, and the slice before and now."""
    last = lab.frames[-1]
    figure = plots.Picture(14, 4.2, alt=f"Test-time lab. {explained(lab, last)}")
    entropies, shares, *pictures = figure.subplots(1, 4, width_ratios=[1.2, 1.2, 1, 1])
    steps = [look.step for look in lab.frames]
    for axes, name, scale, (colour, marker, _) in (
        (entropies, "entropy", 1, plots.SERIES[3]),
        (shares, "dsc", 100, plots.SERIES[1]),
        (shares, "calibration_error", 100, plots.SERIES[2]),
    ):
        values = [scale * getattr(look, name) for look in lab.frames]
        label = {"dsc": "DSC"}.get(name, "calibration error")
        style = {
            "color": colour,
            "marker": marker,
            "markevery": -(-len(steps) // 6),
            "lw": 2.5,
            "label": label,
        }
        axes.plot(steps, values, **style)
        axes.axhline(scale * getattr(lab.before, name), color=colour, ls=":", lw=1.5)
    entropies.set_ylim(bottom=0)
    shares.set_ylim(0, 101)
    shares.legend(fontsize=plots.INK, frameon=False)
    plots.dress(entropies, "step", "entropy (nats)", "dotted: not adapted")
    plots.dress(shares, "step", "%")
    for axes in (entropies, shares):
        axes.set_xlim(-0.3, max(10, steps[-1]) + 0.3)  # also of a run that has not begun
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    structures = lab.study.target.structures
    drawn = "full" if len(structures) == 1 else "in colour"
    seen = {"before": lab.before, f"step {last.step}": last}
    for axes, (title, look) in zip(pictures, seen.items(), strict=True):
        axes.imshow(shown_slice(lab, look))
        axes.set_axis_off()
        axes.set_title(f"{title}: prediction ({drawn}),\ntruth (dashed)", fontsize=plots.INK)
    if len(structures) > 1:
        plots.explain(figure, plots.colours_of(structures))
    return figure
