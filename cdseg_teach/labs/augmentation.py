"""The augmentation lab: one slice, and what training with a stack of transforms makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdseg_teach import plots, slices
from cdseg_teach.cohorts.study import Study, Subject
from cdseg_teach.labs import histograms
from cdseg_teach.labs.display import Shown
from cdseg_teach.labs.trials import Trials
from cdseg_teach.methods import Learner
from cdseg_teach.methods import augmentation as a
from cdseg_teach.methods.sampling import SliceBatches, seed_for
from cdseg_teach.problems import Problem, check_index

DRAWS = 4


@dataclass(frozen=True)
class Knob:
    """The strength of one kind of transform: a name for it, how far it goes, what it means."""

    kind: type[a.Transform]
    label: str
    high: float
    means: str

    @property
    def default(self) -> float:
        """The strength that the transform has unless told."""
        return float(getattr(self.kind, "radius" if self.kind is a.Fourier else "strength"))


KNOBS = {
    "Inversion": Knob(a.Inversion, "chance", 1, "for each channel to be inverted"),
    "Gamma": Knob(a.Gamma, "σ of ln γ", 1, "spread of the logarithm of the exponent"),
    "Bias field": Knob(a.BiasField, "σ of ln field", 1, "largest spread of the field's logarithm"),
    "Noise": Knob(a.Noise, "σ up to", 1, "in standard deviations of the foreground"),
    "Low resolution": Knob(a.LowResolution, "coarser by", 3, "1 makes pixels up to twice as large"),
    "GIN": Knob(a.GIN, "weight up to", 1, "of the random network against the slice"),
    "Fourier": Knob(a.Fourier, "radius", 16, "cycles a slice below which amplitudes are another's"),
    "Synthesis": Knob(a.Synthesis, "weight", 1, "of what is painted from the label"),
}


def _row(stack: a.Stack) -> tuple[dict[str, float], float]:
    """Transform -> strength of a stack, and the probability that its steps share."""
    names = {knob.kind: name for name, knob in KNOBS.items()}
    (probability,) = {probability for _, probability in stack.steps}
    strengths = {}
    for step, _ in stack.steps:
        # What is painted is a stack of its own, which begins with the painting.
        transform: Any = step.steps[0][0] if isinstance(step, a.Stack) else step
        strengths[names[type(transform)]] = float(transform.strength)
    return strengths, probability


#: Row of the table -> its transforms with their strengths, and the probability of each.
PRESETS = {
    "augmentation": _row(a.ORDINARY),
    "gin": _row(a.RANDOM_NETWORKS),
    "synthesis": _row(a.SYNTHETIC),
    "fourier": ({"Fourier": KNOBS["Fourier"].default}, 0.5),  # its stack needs images of T
}
LINES = {
    "original": (slices.BLACK, "solid", 4),
    "draw 1": (slices.BLUE, "dash", 2),
    "draw 2": (slices.RED, "dot", 3),
    "draw 3": (slices.GREEN, "dashdot", 2),
    "draw 4": (slices.PINK, "longdash", 2),
}


class AugmentationLab(Shown):
    """The same slice before and after a stack of transforms, in several draws.

    What is shown is what a learner is given: the transforms one after the other, each with the same
    probability. Draws depend on the seed and the stack alone, so that they can be seen again.

    Parameters
    ----------
    study
        Whose slices are changed; `Fourier` takes its styles from the unlabelled training slices of
        its target.
    subject
        Whose slice is shown; the first training subject of the source without it.
    z
        The slice; the one with most foreground without it.
    learner
        Trained on S: then a button trains it further, a copy with the stack beside one without.

    Examples
    --------
    lab = AugmentationLab(study); lab.use("GIN"); lab.use("Noise", 0.2)
    learner = Supervised(study.source.train, augment=lab.stack, seed=0)
    """

    def __init__(
        self,
        study: Study,
        subject: Subject | None = None,
        z: int | None = None,
        *,
        learner: Learner | None = None,
    ) -> None:
        self.study = study
        self.trials = None if learner is None else Trials(learner, study)
        self.subject = study.source.train[0] if subject is None else subject
        self.channels = study.source.channels
        self.channel, self.z, self.seed = (*study.shifted_channels, 0)[0], 0, 0
        self._probability = 1.0
        self._strengths = {name: KNOBS[name].default for name in ("Inversion", "Gamma")}
        self.look(z=self.subject.telling_slice() if z is None else z)

    @property
    def strengths(self) -> Mapping[str, float]:
        """Transform -> strength, in the order in which they are applied."""
        return dict(self._strengths)

    @property
    def probability(self) -> float:
        """With which each transform changes a slice."""
        return self._probability

    @probability.setter
    def probability(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise Problem(f"probability {value:g} is none; choose from 0 to 1")
        self._probability = float(value)

    @property
    def stack(self) -> a.Stack:
        """What `Supervised(..., augment=lab.stack)` trains with."""
        steps = (self._transform(name, value) for name, value in self._strengths.items())
        return a.Stack(tuple((step, self._probability) for step in steps))

    def use(self, name: str, strength: float | None = None) -> None:
        """Add a transform at the end of the stack, or change its strength where it stands."""
        if name not in KNOBS:
            raise Problem(f"no transform {name!r}; use one of {', '.join(KNOBS)}")
        knob = KNOBS[name]
        value = knob.default if strength is None else float(strength)
        if not 0 <= value <= knob.high:
            raise Problem(f"{name} {value:g} is out of range; choose from 0 to {knob.high:g}")
        self._draw(self._transform(name, value), 1)  # a Problem before anything is changed
        self._strengths[name] = value

    def drop(self, name: str) -> None:
        """Take a transform out of the stack."""
        self._strengths.pop(name, None)

    @property
    def preset(self) -> str | None:
        """The row of `PRESETS` whose transforms these are, or None. A live attribute."""
        now = [*self._strengths.items()], self._probability
        return next((row for row, (s, p) in PRESETS.items() if ([*s.items()], p) == now), None)

    @preset.setter
    def preset(self, row: str) -> None:
        if row not in PRESETS:
            raise Problem(f"no row {row!r} of augmentation; use one of {', '.join(PRESETS)}")
        strengths, probability = PRESETS[row]
        for name, value in strengths.items():
            self._draw(self._transform(name, value), 1)  # a Problem before anything is changed
        self._strengths, self._probability = dict(strengths), probability

    def look(self, channel: int | None = None, z: int | None = None) -> None:
        """Show another channel or another slice."""
        channel, z = (self.channel if channel is None else channel), (self.z if z is None else z)
        check_index("channel", channel, len(self.subject.image))
        check_index("slice", z, self.subject.image.shape[1])
        self.channel, self.z = channel, z

    def draw_again(self) -> None:
        """Other random numbers: those of the next seed."""
        self.seed += 1

    def planes(self) -> np.ndarray:
        """Return the slice and its draws, float32 [1 + draws, Y, X]."""
        planes = torch.cat([self._slice(1), self._draw(self.stack, DRAWS)])
        return planes[:, self.channel].numpy()

    def histograms(self, planes: np.ndarray) -> dict[str, np.ndarray]:
        """Return name -> share of the foreground's pixels in each bin, in percent."""
        return dict(zip(LINES, map(histograms.shares, self._inside(planes)), strict=True))

    def picture_of(self, plane: np.ndarray) -> np.ndarray:
        """Return uint8 [Y, X] as radiologists hang it."""
        return slices.grey(slices.upright(plane, self.subject.affine))

    def in_words(self, planes: np.ndarray) -> str:
        """Say what is done, and how much each draw still resembles the original."""
        original, *draws = self._inside(planes)
        if not original.size:
            return f"{self.where}: nothing is there."
        alike = ", ".join(f"{_correlation(original, draw):.2f}" for draw in draws)
        said = f"{self.where}: {self.stacked}, seed {self.seed}"
        return f"{said}. Correlation of the draws with it: {alike}."

    def caption(self) -> str:
        """What each transform may see, and what has no picture."""
        target = self.study.target
        return (
            "Draws are what a network is given in training; numbers say the order. Fourier takes "
            f"amplitudes from {len(target.splits['train'].names)} unlabelled training subjects "
            f"({target.name}) and so sees target images, the others the source alone. Synthesis "
            "paints from the label and blurs what it painted. "
            "MixStyle acts in the network: it has no picture, and is not in here."
        )

    def _transform(self, name: str, value: float) -> a.Transform:
        if name == "Fourier":
            return a.Fourier(self._styles, round(value))
        if name == "Synthesis":
            several = max(a.Synthesis.structures, len(self.study.source.structures))
            return a.painted(a.Synthesis(value, several))
        return KNOBS[name].kind(value)  # type: ignore[call-arg]

    @cached_property
    def _styles(self) -> Tensor:
        target = self.study.target
        if not target.splits["train"].names:
            raise Problem(f"{target.name} has no training subject to take amplitudes from")
        return SliceBatches(target.train, 1, 0, torch.device("cpu"), labelled=False).images

    def _slice(self, times: int) -> Tensor:
        plane = torch.tensor(self.subject.image[:, self.z])
        return plane.expand(times, *plane.shape)

    def _draw(self, transform: a.Transform, times: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed_for("augmentation lab", self.seed))
        labels = None
        if self.subject.label is not None:
            label = torch.tensor(self.subject.label[self.z]).long()
            labels = label.expand(times, *label.shape)
        return transform(self._slice(times), generator, labels)

    def _inside(self, planes: np.ndarray) -> np.ndarray:
        return planes[:, (self.subject.image[:, self.z] != 0).any(axis=0)]

    @property
    def where(self) -> str:
        """Channel, subject and slice in words."""
        return f"{self.channels[self.channel]} of {self.subject.name}, slice {self.z}"

    @property
    def stacked(self) -> str:
        """The stack in words."""
        steps = " → ".join(f"{name} {value:g}" for name, value in self._strengths.items())
        return f"{steps}, each with probability {self.probability:g}" if steps else "no transform"

    def __repr__(self) -> str:
        return f"AugmentationLab({self.where}: {self.stacked}, seed {self.seed})"

    def build(self) -> Any:
        """Return the widget: transforms, pictures, histograms."""
        from cdseg_teach.labs.augmentation_view import AugmentationView

        return AugmentationView(self).widget

    def still(self) -> tuple[bytes, str]:
        """Return `picture` as a PNG, and its alternative text."""
        return plots.png(self.picture())

    def picture(self) -> plots.Picture:
        """Draw the slice and its draws, and below them their histograms."""
        planes = self.planes()
        figure = plots.Picture(10, 6, self.in_words(planes))
        places = figure.subplot_mosaic("01234;hhhhh", height_ratios=(2, 3))
        for place, name, plane in zip("01234", LINES, planes, strict=True):
            places[place].imshow(self.picture_of(plane), cmap="gray", vmin=0, vmax=255)
            places[place].set_title(name, fontsize=plots.INK)
            places[place].set_axis_off()
        histograms.draw(places["h"], self.histograms(planes), LINES)
        histograms.explain(figure, places["h"])
        return figure


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-6))
