"""How each row of the table is trained, and what it may see: the one place for it.

The numbers were fixed on development seeds 100 to 104, where the labels of target validation
subjects were looked at; no run reads those labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cdseg_teach.cohorts.study import Study, Subject
from cdseg_teach.methods import Adversarial, Learner, OutputAdversarial, Supervised
from cdseg_teach.methods.augmentation import ORDINARY, RANDOM_NETWORKS, SYNTHETIC, Fourier, Stack
from cdseg_teach.methods.sampling import SliceBatches
from cdseg_teach.methods.test_time import (
    BatchStatistics,
    ClassPrior,
    DenoisingPrior,
    Tent,
    denoiser_of,
)
from cdseg_teach.methods.test_time.base import Adaptation
from cdseg_teach.problems import Problem

#: What a method may see. One that adapts at test time is given a network, and at most labels of S.
SOURCE = "source data"
TARGET_IMAGES = "target images"
TARGET_LABELS = "target labels"
NETWORK = "a trained network"
AT_HAND = "the image at hand"
CLASS_SHARES = "class shares of S"
LABELS = "labels of S"

SOURCE_STEPS = 500
ADAPTATION_STEPS = 500
ALPHA = 1.0

#: Training from scratch: source, source_without_shifted_channel, oracle.
SUPERVISED: dict[str, Any] = {"batch_size": 16, "learning_rate": 3e-3}
#: Going on from the source learner: adversarial and its control share every one of these.
ADAPTATION: dict[str, Any] = {"batch_size": 8, "learning_rate": 3e-3}
#: The game itself, which the control does not play. A joint batch changes the statistics of norm
#: layers at alpha = 0 already: the sweep's alpha = 0 is a second control, that has it and no game.
ADVERSARIAL: dict[str, Any] = {"discriminator_learning_rate": 3e-3, "joint_batch": True}

#: What the lecture breaks on purpose: norm layers frozen, no ramp, no clipping, no decay.
COLLAPSE_STEPS = 150
COLLAPSE: dict[str, Any] = {
    "alpha": 30.0,
    "warm_up": lambda step: 1.0,
    "joint_batch": False,
    "source_statistics": "running",
    "target_statistics": "source",
    "gradient_clip": None,
    "schedule_steps": None,
}


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Parameters
    ----------
    build
        Makes the learner, or what adapts one at test time, from the study as the method sees it,
        the learner that it begins with (None from scratch), and seed, alpha, schedule_steps and
        device.
    sees
        What it may look at while it learns or adapts.
    steps
        How many it takes, unless told; a test-time method takes them on each subject.
    start
        The row whose learner it begins with; None begins from scratch.
    control
        The row that differs from it in the idea alone, and that a gain stands beside: trained for
        as many steps, or adapted without this one step.
    has_alpha
        Whether alpha means something to it.
    drops_shifted
        Whether the channels that differ between the domains are taken from it.
    """

    build: Callable[..., Learner | Adaptation]
    sees: str
    steps: int
    start: str | None = None
    control: str | None = None
    has_alpha: bool = False
    drops_shifted: bool = False

    def view(self, study: Study) -> Study:
        """The study with the channels that this method has.

        Raises
        ------
        Problem
            If the study has no shifted channel to drop, or nobody in T to adapt to.
        """
        if TARGET_IMAGES in self.sees and not study.target.splits["train"].names:
            raise Problem(
                f"study {study.name} has no target subject to learn from; add some to the target"
            )
        if not self.drops_shifted:
            return study
        if not study.shifted_channels:
            raise Problem(
                f"study {study.name} has no shifted channel to leave out; ask for other methods"
            )
        if len(study.shifted_channels) == len(study.source.channels):
            raise Problem(f"study {study.name} has only shifted channels; ask for other methods")
        return study.without_channels(study.shifted_channels)


def _on_source(
    study: Study, start: Learner | None, alpha: float, augment: Any = None, **options: Any
) -> Learner:
    return Supervised(study.source.train, augment=augment, **SUPERVISED, **options)


def _on_target(study: Study, start: Learner | None, alpha: float, **options: Any) -> Learner:
    return Supervised(_labelled(study), **SUPERVISED, **options)


def _labelled(study: Study) -> list[Subject]:
    labelled = [subject for subject in study.target.labelled_train if subject.label is not None]
    if not labelled:
        raise Problem(_NO_LABEL.format(study.name))
    return labelled


_NO_LABEL = "study {} has no target label to learn from; label a subject"


def _in_the_style_of_t(
    study: Study,
    start: Learner | None,
    alpha: float,
    kind: type[Fourier],
    probability: float,
    **options: Any,
) -> Learner:
    learner = Supervised(study.source.train, **SUPERVISED, **options)
    bank = SliceBatches(study.target.train, 1, learner.seed, learner.device, labelled=False)
    learner.augment = Stack(((kind(bank.images), probability),))
    return learner


def _longer(
    study: Study, start: Learner | None, alpha: float, augment: Any = None, **options: Any
) -> Learner:
    settings = ADAPTATION | options
    return Supervised(study.source.train, start_from=start, augment=augment, **settings)


def _adversarial(
    study: Study,
    start: Learner | None,
    alpha: float,
    kind: type[Adversarial] = Adversarial,
    augment: Any = None,
    **options: Any,
) -> Learner:
    settings = ADAPTATION | ADVERSARIAL
    learner = kind(study, start_from=start, alpha=alpha, **settings, **options)
    learner.augment = augment
    return learner


def _at_test_time(
    kind: Callable[..., Adaptation],
    study: Study,
    start: Learner,
    alpha: float,
    *,
    schedule_steps: int,
    seed: int,
    device: str,
) -> Adaptation:
    options: dict[str, Any] = {}
    if kind is not BatchStatistics:
        # Without a bar: in a table it is one job of many.
        options = {"steps": schedule_steps, "progress": False}
    if kind is DenoisingPrior:
        options |= {"seed": seed, "denoiser": denoiser_of(start, seed=seed, progress=iter)}
    return kind(start, **options)


def _augmented(stack: Stack) -> Method:
    build = partial(_on_source, augment=stack)
    return Method(build, SOURCE, SOURCE_STEPS, control="source")


def _adapted(start: str, **options: Any) -> Method:
    sees = f"{SOURCE}, {TARGET_IMAGES}"
    build = partial(_adversarial, **options)
    longer = f"{start}_longer"
    return Method(build, sees, ADAPTATION_STEPS, start=start, control=longer, has_alpha=True)


def _test_time(
    kind: Callable[..., Adaptation], steps: int, control: str, start: str = "source", of_s: str = ""
) -> Method:
    sees = ", ".join(filter(None, (NETWORK, of_s, AT_HAND)))
    return Method(partial(_at_test_time, kind), sees, steps, start=start, control=control)


METHODS = {
    "source": Method(_on_source, SOURCE, SOURCE_STEPS),
    "source_without_shifted_channel": Method(
        _on_source, SOURCE, SOURCE_STEPS, control="source", drops_shifted=True
    ),
    "source_longer": Method(_longer, SOURCE, ADAPTATION_STEPS, start="source"),
    "adversarial": _adapted("source"),
    "output_adversarial": _adapted("source", kind=OutputAdversarial),
    "feature_and_output": _adapted("source", kind=OutputAdversarial, with_features=True),
    "augmentation": _augmented(ORDINARY),
    "gin": _augmented(RANDOM_NETWORKS),
    "synthesis": _augmented(SYNTHETIC),
    "fourier": Method(
        partial(_in_the_style_of_t, kind=Fourier, probability=0.5),
        f"{SOURCE}, {TARGET_IMAGES}",
        SOURCE_STEPS,
        control="source",
    ),
    "batch_statistics": _test_time(BatchStatistics, 0, "source"),
    # What they do beyond the statistics that they use.
    "tent": _test_time(Tent, 10, "batch_statistics"),
    "class_prior": _test_time(ClassPrior, 10, "batch_statistics", of_s=CLASS_SHARES),
    "denoising_prior": _test_time(DenoisingPrior, 40, "source", of_s=LABELS),
    "synthesis_longer": Method(
        partial(_longer, augment=SYNTHETIC),
        SOURCE,
        ADAPTATION_STEPS,
        start="synthesis",
        control="source_longer",
    ),
    "synthesis_adversarial": _adapted(
        "synthesis", kind=OutputAdversarial, with_features=True, augment=SYNTHETIC
    ),
    "gin_batch_statistics": _test_time(BatchStatistics, 0, "gin", start="gin"),
    "oracle": Method(_on_target, f"{TARGET_IMAGES}, {TARGET_LABELS}", SOURCE_STEPS),
}
#: The lecture's table, with a control and the reference: what the pack holds.
LECTURE_ROWS = (
    "source",
    "source_without_shifted_channel",
    "source_longer",
    "adversarial",
    "oracle",
)
#: Rows trained from scratch on S alone: what others begin with, and the same whatever T is.
STARTS = frozenset(
    name for name, row in METHODS.items() if row.start is None and row.sees == SOURCE
)


def row_of(method: str) -> Method:
    """The row of this name; a Problem that lists them all when there is none."""
    if method not in METHODS:
        raise Problem(f"method {method!r} is unknown; use {', '.join(METHODS)}")
    return METHODS[method]


def impossible(study: Study) -> dict[str, str]:
    """The rows that a study has no data for, and why; its target's training subjects are read."""
    reasons = {}
    has_labels = any(subject.label is not None for subject in study.target.labelled_train)
    for name, row in METHODS.items():
        if TARGET_LABELS in row.sees and not has_labels:
            reasons[name] = _NO_LABEL.format(study.name)
            continue
        try:
            row.view(study)
        except Problem as problem:
            reasons[name] = str(problem)
    return reasons


def predictor_of(
    method: str,
    study: Study,
    start: Learner | None = None,
    *,
    seed: int = 0,
    alpha: float = ALPHA,
    steps: int | None = None,
    device: str = "auto",
) -> Learner | Adaptation:
    """The untrained learner of a row, or what adapts its start at test time.

    Parameters
    ----------
    method
        A name in `METHODS`.
    study
        With all of its channels; those that the method lacks are dropped here.
    start
        The learner of the row's `start`, for a method that goes on from one.
    seed, alpha, device
        As in `Adversarial`.
    steps
        None takes the method's own; the learning rate's schedule lasts as long.
    """
    row = row_of(method)
    return row.build(
        row.view(study),
        start,
        alpha=alpha,
        seed=seed,
        schedule_steps=steps or row.steps,
        device=device,
    )


def learner_of(method: str, study: Study, start: Learner | None = None, **options: Any) -> Learner:
    """`predictor_of` for a row that is trained.

    Raises
    ------
    Problem
        For a method that is unknown, or that only adapts at test time.
    """
    learner = predictor_of(method, study, start, **options)
    if not isinstance(learner, Learner):
        raise Problem(f"{method} adapts at test time and trains no learner; ask for another method")
    return learner


def collapsing(study: Study, start: Learner, *, seed: int = 0, device: str = "auto") -> Adversarial:
    """The learner of the collapse scene."""
    settings = ADAPTATION | ADVERSARIAL | COLLAPSE
    return Adversarial(study, start_from=start, seed=seed, device=device, **settings)
