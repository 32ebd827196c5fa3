"""How each row of the table is trained, and what it may see: the one place for it.

The numbers were fixed on development seeds 100 to 104, where the labels of target validation
subjects were looked at; no run reads those labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cdseg_teach.cohorts.study import Study
from cdseg_teach.methods import Adversarial, Learner, Supervised
from cdseg_teach.problems import Problem

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
        Makes the learner from the study as the method sees it, the source learner (None for a
        method that begins from scratch), and seed, alpha, schedule_steps, device.
    sees
        What it may look at while it learns.
    steps
        How many it takes, unless told.
    from_source
        Whether it goes on from the source learner.
    has_alpha
        Whether alpha means something to it.
    drops_shifted
        Whether the channels that differ between the domains are taken from it.
    """

    build: Callable[..., Learner]
    sees: str
    steps: int
    from_source: bool = False
    has_alpha: bool = False
    drops_shifted: bool = False

    def view(self, study: Study) -> Study:
        """The study with the channels that this method has.

        Raises
        ------
        Problem
            If the study has no shifted channel to drop, or nobody in T to adapt to.
        """
        if "target" in self.sees and not study.target.splits["train"].names:
            raise Problem(
                f"study {study.name} has no target subject to learn from; add some to the target"
            )
        if not self.drops_shifted:
            return study
        if not study.shifted_channels:
            raise Problem(
                f"study {study.name} has no shifted channel to leave out; ask for other methods"
            )
        return study.without_channels(study.shifted_channels)


def _on_source(study: Study, start: Learner | None, alpha: float, **options: Any) -> Learner:
    return Supervised(study.source.train, **SUPERVISED, **options)


def _on_target(study: Study, start: Learner | None, alpha: float, **options: Any) -> Learner:
    return Supervised(study.target.labelled_train, **SUPERVISED, **options)


def _on_source_longer(study: Study, start: Learner | None, alpha: float, **options: Any) -> Learner:
    return Supervised(study.source.train, start_from=start, **ADAPTATION, **options)


def _adversarial(study: Study, start: Learner | None, alpha: float, **options: Any) -> Learner:
    settings = ADAPTATION | ADVERSARIAL
    return Adversarial(study, start_from=start, alpha=alpha, **settings, **options)


METHODS = {
    "source": Method(_on_source, "source data", SOURCE_STEPS),
    "source_without_shifted_channel": Method(
        _on_source, "source data", SOURCE_STEPS, drops_shifted=True
    ),
    "source_longer": Method(_on_source_longer, "source data", ADAPTATION_STEPS, from_source=True),
    "adversarial": Method(
        _adversarial,
        "source data, target images",
        ADAPTATION_STEPS,
        from_source=True,
        has_alpha=True,
    ),
    "oracle": Method(_on_target, "target images, target labels", SOURCE_STEPS),
}


def row_of(method: str) -> Method:
    """The row of this name; a Problem that lists them all when there is none."""
    if method not in METHODS:
        raise Problem(f"method {method!r} is unknown; use {', '.join(METHODS)}")
    return METHODS[method]


def learner_of(
    method: str,
    study: Study,
    start: Learner | None = None,
    *,
    seed: int = 0,
    alpha: float = ALPHA,
    steps: int | None = None,
    device: str = "auto",
) -> Learner:
    """The untrained learner of a row, with the learning rate's schedule over its steps.

    Parameters
    ----------
    method
        A name in `METHODS`.
    study
        With all of its channels; those that the method lacks are dropped here.
    start
        The source learner, for a method that goes on from it.
    seed, alpha, device
        As in `Adversarial`.
    steps
        None takes the method's own.
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


def collapsing(study: Study, start: Learner, *, seed: int = 0, device: str = "auto") -> Adversarial:
    """The learner of the collapse scene."""
    settings = ADAPTATION | ADVERSARIAL | COLLAPSE
    return Adversarial(study, start_from=start, seed=seed, device=device, **settings)
