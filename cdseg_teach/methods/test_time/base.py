"""What every test-time method shares: a copy of a trained network that adapts to one volume.

A method is three choices: which weights of the copy move, which statistics its norm layers use,
and which loss, without labels, tells the weights where to. `Run.step` is all the rest.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn

from cdseg_teach.methods.learner import Learner, probabilities_of, steps
from cdseg_teach.methods.normalisation import batch_statistics
from cdseg_teach.problems import Problem

#: From the logits [Z, K, Y, X] of a volume's slices to a loss, and what to report of it.
Loss = Callable[[Tensor], tuple[Tensor, dict[str, float]]]
#: Inside, the network's norm layers use certain statistics.
Statistics = Callable[[nn.Module], AbstractContextManager[None]]

PREDICT_FROM = ("after", "before")


class Adaptation(ABC):
    """Adapts a copy of a learner's network to each volume before it segments it.

    The slices of the volume are the batch. The learner is never changed.

    Parameters
    ----------
    learner
        Trained on S. A run copies the network that it predicts with.
    steps
        Updates before the answer, 0 or more. A live attribute.
    learning_rate
        Adam's.
    episodic
        True begins with the learner's own weights for each volume; False (online) goes on with
        those of the volume before, and with Adam's state, until `reset`.
    predict_from
        `"after"`: the answer comes from the weights after the last update. `"before"`: from the
        forward pass of the last update, as in the reference implementation of TENT; it saves one
        pass and lags one update behind. A live attribute.
    progress
        Whether a bar shows how far an answer is that takes more than two seconds. A live attribute.

    Raises
    ------
    Problem
        For a number or a choice that is none.

    Examples
    --------
    >>> run = method.begin(subject.image)                        # doctest: +SKIP
    >>> for report in ct.steps(run, 10):                         # doctest: +SKIP
    ...     print(report["entropy"])
    >>> run.predict()                                            # doctest: +SKIP
    """

    def __init__(
        self,
        learner: Learner,
        *,
        steps: int,
        learning_rate: float = 1e-3,
        episodic: bool = True,
        predict_from: str = "after",
        progress: bool = True,
    ) -> None:
        if not isinstance(steps, int) or steps < 0:
            raise Problem(f"{steps!r} steps cannot be taken; use a whole number from 0 up")
        if not (math.isfinite(learning_rate) and learning_rate > 0):
            raise Problem(f"learning_rate {learning_rate!r} moves nothing; use a number above 0")
        if predict_from not in PREDICT_FROM:
            raise Problem(
                f"predict_from {predict_from!r} is not one of {', '.join(map(repr, PREDICT_FROM))}"
            )
        self.learner = learner
        self.steps = steps
        self.learning_rate = learning_rate
        self.episodic = episodic
        self.predict_from = predict_from
        self.progress = progress
        self._online: tuple[nn.Module, torch.optim.Optimizer | None] | None = None

    @abstractmethod
    def _adaptable(self, network: nn.Module) -> nn.Module:
        """From a frozen copy to a network in which what moves requires a gradient."""

    @abstractmethod
    def _statistics(self) -> Statistics:
        """What norm layers normalise with, while the copy adapts and when it predicts."""

    @abstractmethod
    def _loss(self) -> Loss:
        """The loss of one run."""

    def begin(self, volume: np.ndarray) -> Run:
        """A run on an image [C, Z, Y, X], to be taken step by step.

        Raises
        ------
        Problem
            If the image does not fit the learner, or the network lacks what the method adapts.
        """
        slices = self.learner.slices(volume)
        network, optimiser = self._online or self._fresh()
        if not self.episodic:
            self._online = network, optimiser
        return Run(self, slices, network, optimiser)

    def predict(self, volume: np.ndarray) -> np.ndarray:
        """Class indices, uint8 [Z, Y, X], of an image [C, Z, Y, X], after adapting to it."""
        return self.predict_probabilities(volume).argmax(axis=0).astype(np.uint8)

    def predict_probabilities(self, volume: np.ndarray) -> np.ndarray:
        """Softmax probabilities, float32 [K, Z, Y, X], after adapting to the image."""
        run = self.begin(volume)
        for _ in steps(run, self.steps, progress=self.progress, delay=2):
            pass
        return run.predict_probabilities()

    def reset(self) -> None:
        """Forget what the volumes before have changed (online)."""
        self._online = None

    def _fresh(self) -> tuple[nn.Module, torch.optim.Optimizer | None]:
        frozen = copy.deepcopy(self.learner.predictor).eval().requires_grad_(False)
        network = self._adaptable(frozen)
        moving = [p for p in network.parameters() if p.requires_grad]
        return network, torch.optim.Adam(moving, lr=self.learning_rate) if moving else None


class Run:
    """One volume that a network adapts to; `begin` of a method makes it.

    Attributes
    ----------
    network
        The copy that adapts.
    slices
        The volume, [Z, C, Y, X].
    steps_done
        Updates so far.
    """

    def __init__(
        self,
        method: Adaptation,
        slices: Tensor,
        network: nn.Module,
        optimiser: torch.optim.Optimizer | None,
    ) -> None:
        self.method = method
        self.slices = slices
        self.network = network
        self.steps_done = 0
        self._optimiser = optimiser
        self._statistics = method._statistics()
        self._loss = method._loss()
        self._before: Tensor | None = None

    @property
    def moving(self) -> int:
        """How many weights move."""
        return sum(p.numel() for p in self.network.parameters() if p.requires_grad)

    def step(self) -> dict[str, float]:
        """One update; returns what was measured in its forward pass, thus before it."""
        with torch.enable_grad():
            logits = self._forward()
            loss, report = self._loss(logits)
            if self._optimiser is not None:
                self._optimiser.zero_grad()
                loss.backward()
                self._optimiser.step()
        self._before = logits.detach()
        self.steps_done += 1
        return report

    @torch.no_grad()
    def predict_probabilities(self) -> np.ndarray:
        """Softmax probabilities, float32 [K, Z, Y, X], after (or before) the last update."""
        if self.method.predict_from == "before" and self._before is not None:
            return probabilities_of(self._before)
        return probabilities_of(self._forward())

    def predict(self) -> np.ndarray:
        """Class indices, uint8 [Z, Y, X]."""
        return self.predict_probabilities().argmax(axis=0).astype(np.uint8)

    def _forward(self) -> Tensor:
        with self._statistics(self.network):
            logits: Tensor = self.network(self.slices)
        return logits


@torch.no_grad()
def class_count(learner: Learner) -> int:
    """How many classes a learner's network tells apart, background included."""
    network = learner.predictor
    with batch_statistics(network):
        return int(network(learner.source.images[:1]).shape[1])
