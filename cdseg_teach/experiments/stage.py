"""What the scenes of one seed share: its study, a source learner, the table's adversarial run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cdseg_teach.cohorts.study import Study, Subject
from cdseg_teach.evaluation import dsc
from cdseg_teach.experiments.jobs import Studies, train
from cdseg_teach.experiments.recipes import ADAPTATION_STEPS, SOURCE_STEPS, learner_of
from cdseg_teach.methods import Learner

LOOK_EVERY = 25  # steps of the run that is looked at


@dataclass(frozen=True, eq=False)
class Stage:
    """What the scenes of one seed share.

    Parameters
    ----------
    study
        With all of its channels.
    source
        The learner of the row `source`, trained.
    seed, device
        As in `Adversarial`.
    steps
        Of each phase; None takes the scene's own.
    """

    study: Study
    source: Learner
    seed: int
    steps: int | None = None
    device: str = "auto"

    @classmethod
    def built(
        cls, studies: Studies, seed: int, steps: int | None = None, device: str = "auto"
    ) -> Stage:
        """Train the source learner of a seed."""
        study = studies(seed=seed)
        source = learner_of("source", study, seed=seed, steps=steps, device=device)
        train(source, steps or SOURCE_STEPS)
        return cls(study, source, seed, steps, device)

    def learner(self, row: str, steps: int, study: Study | None = None, **options: Any) -> Learner:
        """The learner of a row that goes on from the source learner, scheduled for `steps`."""
        options |= {"seed": self.seed, "steps": self.steps or steps, "device": self.device}
        return learner_of(row, study or self.study, self.source, **options)

    def train(self, learner: Learner, steps: int) -> None:
        """Let a learner take its steps."""
        train(learner, self.steps or steps)

    def dsc_on_target(self, learner: Learner) -> float:
        """Mean over the test subjects of T."""
        return float(self.each_on_target(learner).mean())

    def each_on_target(self, learner: Learner) -> np.ndarray:
        """The DSC of each test subject of T."""
        return np.array([self.dsc(learner.predict(s.image), s) for s in self.study.target.test])

    def dsc(self, prediction: np.ndarray, subject: Subject) -> float:
        """The mean over structures."""
        assert subject.label is not None
        numbers = range(1, len(self.study.target.structures) + 1)
        return float(np.mean([dsc(prediction == k, subject.label == k) for k in numbers]))

    @cached_property
    def game(self) -> Game:
        """The table's adversarial run, which several scenes look at."""
        n = self.steps or ADAPTATION_STEPS
        learner = self.learner("adversarial", n)
        at = [*range(LOOK_EVERY, n, LOOK_EVERY), n]
        looks: dict[str, list[np.ndarray]] = {"averaged": [], "segmenter": []}
        for step in at:
            train(learner, step - learner.steps_done)
            for network, seen in looks.items():
                learner.predict_with = network
                seen.append(self.each_on_target(learner))
        learner.predict_with = "averaged"
        return Game(learner, at, {network: np.stack(seen) for network, seen in looks.items()})


@dataclass(frozen=True, eq=False)
class Game:
    """A finished run, and the DSC of each test subject of T on the way.

    `looks` [looks, subjects], after the steps `at`, is of the `"averaged"` weights, which predict
    in the table, and of the `"segmenter"`, the weights of that step.
    """

    learner: Learner
    at: list[int]
    looks: dict[str, np.ndarray]
