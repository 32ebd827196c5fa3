"""Adversarial domain adaptation: two players, one game.

A discriminator D listens to features of the segmenter and minimises its loss L_adv (which domain
do they come from?). The segmenter minimises

    L_segAdv(theta_seg) = L_seg(theta_seg) - alpha L_adv(theta_seg).

`Adversarial.step` is the whole method; read it beside the slide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.methods.learner import Learner, checked_taps
from cdseg_teach.methods.normalisation import batch_statistics, running_statistics
from cdseg_teach.methods.sampling import SliceBatches, seed_for
from cdseg_teach.methods.schedules import Ramp, linear
from cdseg_teach.methods.supervised import segmentation_loss
from cdseg_teach.networks import (
    Discriminator,
    forward_with_taps,
    reverse_gradient,
    seeded_weights,
)
from cdseg_teach.problems import Problem

if TYPE_CHECKING:
    from cdseg_teach.cohorts.study import Study

PLAYERS = ("both", "segmenter", "discriminator")
OBJECTIVES = ("reversal", "flipped")
WARM_UP = linear(start=30, length=150)
_STATISTICS_S = ("batch", "running")
_STATISTICS_T = ("batch", "source")


class Adversarial(Learner):
    """Learn to segment S while a discriminator fails to tell the features of S and T apart.

    With separate passes (the default) only the pass of S updates normalisation buffers, and T's
    batches and the discriminator have generators of their own: at alpha = 0 the segmenter equals
    `Supervised(study.source.train, ...)` with the same arguments, bit for bit on a CPU. (A GPU adds
    up in no fixed order: there, two runs of one learner differ in the last digits too.)

    Parameters
    ----------
    study
        S with labels, T without: T's training labels are never looked at.
    alpha
        Weight of L_adv, 0 or more. A live attribute.
    players
        `"both"`, `"segmenter"` or `"discriminator"`: who moves; the other is frozen. A live
        attribute.
    warm_up
        The factor of alpha at each step (`schedules.none()`, `linear(...)`, `dann(...)`). A live
        attribute.
    taps
        Names of the submodules that D listens to; None takes all of `segmenter.taps`.
    joint_batch
        True sends S and T through the segmenter as one batch: they share their batch statistics,
        and both update the buffers.
    source_statistics
        `"batch"`, or `"running"` for norm layers frozen as they are.
    target_statistics
        What the separate pass of T normalises with: `"batch"` (its own batch's statistics) or
        `"source"` (the running ones, which only S updates).
    discriminator_width, discriminator_learning_rate
        D's channels and learning rate.
    options
        All others, as in `Learner`: seed, start_from, schedule_steps, learning_rate, batch_size
        (slices of each domain), segmenter, gradient_clip, averaging, device, ...

    References
    ----------
    Kamnitsas et al. 2017, "Unsupervised domain adaptation in brain lesion segmentation with
    adversarial networks"; Ganin & Lempitsky 2015 for the reversed gradient.
    """

    def __init__(
        self,
        study: Study,
        *,
        alpha: float = 1.0,
        players: str = "both",
        warm_up: Ramp = WARM_UP,
        taps: Sequence[str] | None = None,
        joint_batch: bool = False,
        source_statistics: str = "batch",
        target_statistics: str = "batch",
        discriminator_width: int = 32,
        discriminator_learning_rate: float = 3e-3,
        **options: Any,
    ) -> None:
        super().__init__(study.source.train, **options)
        self.alpha = alpha
        self.players = players
        self.objective = "reversal"
        self.warm_up = warm_up
        self.taps = checked_taps(self.segmenter, taps)
        self.joint_batch = joint_batch
        self.source_statistics = _checked("source_statistics", source_statistics, _STATISTICS_S)
        self.target_statistics = _checked("target_statistics", target_statistics, _STATISTICS_T)
        self.peak_discriminator_learning_rate = discriminator_learning_rate

        self.target = SliceBatches(
            study.target.train,
            self.source.batch_size,
            seed_for("target batches", self.seed),
            self.device,
            labelled=False,
        )
        if self.target.images.shape[1] != self.in_channels:
            raise Problem(
                f"target subjects have {self.target.images.shape[1]} channels, source subjects"
                f" {self.in_channels}; drop the channels that one of them lacks"
            )
        sizes = [tuple(batches.images.shape[2:]) for batches in (self.source, self.target)]
        if joint_batch and sizes[0] != sizes[1]:
            raise Problem(f"slices of S {sizes[0]} and T {sizes[1]} make no joint batch; resample")
        with seeded_weights(seed_for("discriminator", self.seed)):
            discriminator = Discriminator(self._tap_channels(), discriminator_width)
        self.discriminator = self._copy(discriminator)
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), betas=(0.5, 0.99), fused=True
        )

    def step(self) -> dict[str, float]:
        """One step of the game: a batch of S with labels, a batch of T without."""
        alpha = self.alpha * self.warm_up(self.steps_done)
        images_s, labels_s = self.source.draw()
        images_t = self.target.draw_images()
        self.optimiser.zero_grad()
        self.discriminator_optimiser.zero_grad()

        # The segmenter sees both domains; D hears its features through reversed gradients.
        logits_s, features_s, features_t = self._segment(images_s, images_t)
        reversal = alpha if self.objective == "reversal" else 0.0
        domain_s = self.discriminator([reverse_gradient(f, reversal) for f in features_s])
        domain_t = self.discriminator([reverse_gradient(f, reversal) for f in features_t])

        loss_seg = segmentation_loss(logits_s, labels_s)
        loss_adv = (cross_entropy(domain_s, is_s=1) + cross_entropy(domain_t, is_s=0)) / 2

        # theta_seg receives the gradient of loss_seg - alpha * loss_adv, and theta_D that of
        # loss_adv: each player has its own loss, and goes down.
        loss = loss_seg + loss_adv
        if self.objective == "flipped" and alpha:
            loss = loss + alpha * self._flipped_labels(features_s, features_t)
        loss.backward()
        report = self._report(alpha, loss_seg, loss_adv, domain_s, domain_t)
        if self.players != "discriminator":
            self._update_segmenter()
        if self.players != "segmenter":
            self._update_discriminator()
        self.steps_done += 1
        return report

    @property
    def alpha(self) -> float:
        """Weight of L_adv, read at each step."""
        return self._alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._alpha = checked_alpha(value)

    @property
    def players(self) -> str:
        """Who moves at each step."""
        return self._players

    @players.setter
    def players(self, value: str) -> None:
        self._players = _checked("players", value, PLAYERS)

    @property
    def objective(self) -> str:
        """What the segmenter plays for: `"reversal"` or `"flipped"`. A live attribute.

        Reversal ascends L_adv, the slide's −alpha L_adv: a D that is always right, and certain of
        it, has no gradient to reverse. Flipped labels descend L_adv with the labels of S and T
        swapped, whose gradient is largest just there (Goodfellow et al. 2014, section 3).
        """
        return self._objective

    @objective.setter
    def objective(self, value: str) -> None:
        self._objective = _checked("objective", value, OBJECTIVES)

    def _load(self, state: dict[str, Any]) -> None:
        super()._load(state)
        self.discriminator.load_state_dict(state["discriminator"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])
        self.target.generator.set_state(state["target_batches"])

    def _state(self) -> dict[str, Any]:
        return super()._state() | {
            "discriminator": self.discriminator.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "target_batches": self.target.generator.get_state(),
        }

    def _segment(
        self, images_s: Tensor, images_t: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Logits of S, and what D hears of S and of T."""
        # A frozen segmenter keeps its weights, and its buffers too.
        frozen = self.players == "discriminator"
        with torch.set_grad_enabled(not frozen):
            if self.joint_batch:
                with self._statistics(self.source_statistics, frozen):
                    both = torch.cat([images_s, images_t])
                    logits, features = forward_with_taps(self.segmenter, both, self.taps)
                halves = [heard.chunk(2) for heard in self._heard(logits, features)]
                return logits.chunk(2)[0], [s for s, _ in halves], [t for _, t in halves]
            with self._statistics(self.source_statistics, frozen):
                logits_s, features_s = forward_with_taps(self.segmenter, images_s, self.taps)
            with self._statistics(self.target_statistics, frozen=True):
                logits_t, features_t = forward_with_taps(self.segmenter, images_t, self.taps)
            return logits_s, self._heard(logits_s, features_s), self._heard(logits_t, features_t)

    def _heard(self, logits: Tensor, features: list[Tensor]) -> list[Tensor]:
        """What D hears of a pass through the segmenter."""
        return features

    def _flipped_labels(self, features_s: list[Tensor], features_t: list[Tensor]) -> Tensor:
        """L_adv with the labels of S and T swapped; D holds still."""
        self.discriminator.requires_grad_(False)
        domain_s, domain_t = self.discriminator(features_s), self.discriminator(features_t)
        self.discriminator.requires_grad_(True)
        return (cross_entropy(domain_s, is_s=0) + cross_entropy(domain_t, is_s=1)) / 2

    def _statistics(self, which: str, frozen: bool) -> AbstractContextManager[None]:
        if which != "batch":
            return running_statistics(self.segmenter)
        return batch_statistics(self.segmenter) if frozen else nullcontext()

    def _update_discriminator(self) -> None:
        rate = self.peak_discriminator_learning_rate * self._schedule()
        self._update(self.discriminator, self.discriminator_optimiser, rate)

    @torch.no_grad()
    def _report(
        self, alpha: float, loss_seg: Tensor, loss_adv: Tensor, domain_s: Tensor, domain_t: Tensor
    ) -> dict[str, float]:
        right = ((domain_s > 0).float().mean() + (domain_t <= 0).float().mean()) / 2
        # One read for all three: each would make a GPU wait.
        seg, adv, accuracy = torch.stack([loss_seg, loss_adv, right]).tolist()
        return {
            "loss_seg": seg,
            "loss_adv": adv,
            "alpha": alpha,
            "discriminator_accuracy": accuracy,
            "learning_rate": self.learning_rate,
        }

    @torch.no_grad()
    def _tap_channels(self) -> list[int]:
        with batch_statistics(self.segmenter):
            passed = forward_with_taps(self.segmenter, self.target.images[:2], self.taps)
        return [heard.shape[1] for heard in self._heard(*passed)]


def cross_entropy(domain_logits: Tensor, is_s: int) -> Tensor:
    """Mean binary cross-entropy of D's logits, where 1 stands for S and 0 for T."""
    return F.binary_cross_entropy_with_logits(
        domain_logits, torch.full_like(domain_logits, float(is_s))
    )


def checked_alpha(value: Any) -> float:
    """Alpha as a number; a Problem unless it is finite and 0 or more."""
    try:
        alpha = float(value)
    except (TypeError, ValueError):
        alpha = math.nan
    if not (math.isfinite(alpha) and alpha >= 0):
        raise Problem(f"alpha {value!r} is not a weight; use a finite number from 0 up")
    return alpha


def _checked(name: str, value: str, options: Sequence[str]) -> str:
    if value not in options:
        raise Problem(f"{name} {value!r} is not one of {', '.join(map(repr, options))}")
    return value
