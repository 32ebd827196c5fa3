"""Some steps more with a stack of transforms, and what they do to the DSC on T and on S."""

from __future__ import annotations

from dataclasses import dataclass

from cdseg_teach.cohorts.study import Study
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments.recipes import ADAPTATION
from cdseg_teach.labs.player import Player
from cdseg_teach.methods import Learner, Supervised
from cdseg_teach.methods.augmentation import Stack

PLAIN = "as they are"  # what the control learns from: slices of S without a stack


@dataclass(frozen=True)
class Scores:
    """Mean DSC over some test subjects of each domain, 0..1."""

    on_target: float
    on_source: float


class Trials:
    """A trained learner goes on for some steps: with a stack each time, and once without any.

    Every trial begins with the same weights and draws the same slices of S, so that only the stack
    differs. The learner is never changed. Labels of T are used to look, after the last step.

    Parameters
    ----------
    learner
        Trained on S.
    study
        Whose source it goes on with, and whose test subjects are looked at.
    steps
        Of each trial.
    people
        Test subjects of each domain that are looked at.

    Attributes
    ----------
    player
        Takes the steps; it pauses by itself when the last trial is done.
    results
        What was learned from -> its `Scores`, in the order in which they came; "before" is the
        learner.
    """

    def __init__(self, learner: Learner, study: Study, steps: int = 40, people: int = 4) -> None:
        self.learner, self.study, self.steps, self.people = learner, study, steps, people
        self.player = Player(self._advance)
        self.results = {"before": self._look(learner)}
        self._waiting: list[tuple[str, Stack | None]] = []
        self._running: Supervised | None = None

    def ask(self, stack: Stack, name: str) -> None:
        """Make ready to learn with a stack, without one first unless that is known; then play."""
        self._running = None
        self._waiting = [(name, stack)]
        if PLAIN not in self.results:
            self._waiting.insert(0, (PLAIN, None))

    @property
    def left(self) -> int:
        """Steps that are still to be taken."""
        done = self._running.steps_done if self._running else 0
        return self.steps * len(self._waiting) - done

    def _advance(self) -> dict[str, float]:
        name, stack = self._waiting[0]
        if self._running is None:
            self._running = Supervised(
                self.study.source.train,
                start_from=self.learner,
                augment=stack,
                schedule_steps=self.steps,
                seed=self.learner.seed,
                device=self.learner.device,
                **ADAPTATION,
            )
        report = self._running.step()
        if self._running.steps_done == self.steps:
            self.results.pop(name, None)  # what was tried again stands last
            self.results[name] = self._look(self._running)
            self._running = None
            del self._waiting[0]
            if not self._waiting:
                self.player.pause()
        return report

    def _look(self, learner: Learner) -> Scores:
        target, source = (
            float(evaluate(learner, cohort.test[: self.people], cohort.structures).dsc.mean())
            for cohort in (self.study.target, self.study.source)
        )
        return Scores(target, source)
