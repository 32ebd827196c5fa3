"""Entropy with a class prior: surer, but with as much of each structure as S leads to expect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdseg_teach.methods.learner import Learner
from cdseg_teach.methods.test_time.base import Loss, class_count
from cdseg_teach.methods.test_time.tent import Tent, entropy
from cdseg_teach.problems import Problem

_TINY = 1e-10  # of the reference implementation, inside each logarithm


class ClassPrior(Tent):
    """TENT with a second term, which asks for the expected ratio of the classes.

        L = mean H(p) + lambda KL(r || prior),   r_k = mean of p_k over the volume

    It keeps the prediction from collapsing to background. Where the prior is wrong for the volume
    (more or larger lesions than in S), it pulls towards the wrong amount.

    Parameters
    ----------
    learner
        Trained on S.
    prior
        Expected share of each class in a volume, background first; None takes that of the
        learner's training labels.
    prior_weight
        lambda, 0 or more; 0 is TENT.
    options
        All others, as in `Tent`, with its defaults: nothing else differs.

    References
    ----------
    Bateson et al. 2022, "Source-free domain adaptation for image segmentation" (AdaMI). There all
    weights move, the ratio is one of each slice that is known to show the structure, and classes
    are weighted in the entropy; at test time nobody knows which slices show it, so the ratio is the
    volume's here, and the entropy is TENT's.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        prior: Sequence[float] | np.ndarray | None = None,
        prior_weight: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(learner, **options)
        if not (math.isfinite(prior_weight) and prior_weight >= 0):
            raise Problem(f"prior_weight {prior_weight!r} is no weight; use a number from 0 up")
        classes = class_count(learner)
        if prior is None:
            assert learner.source.labels is not None
            prior = class_ratio(learner.source.labels.cpu().numpy(), classes)
        self.prior = _checked_prior(prior, classes)
        self.prior_weight = prior_weight

    def _loss(self) -> Loss:
        prior = torch.as_tensor(self.prior, dtype=torch.float32, device=self.learner.device)

        def loss(logits: Tensor) -> tuple[Tensor, dict[str, float]]:
            mean_entropy = entropy(logits).mean()
            divergence = ratio_divergence(logits, prior)
            total = mean_entropy + self.prior_weight * divergence
            return total, {
                "loss": total.item(),
                "entropy": mean_entropy.item(),
                "prior_divergence": divergence.item(),
            }

        return loss


def ratio_divergence(logits: Tensor, prior: Tensor) -> Tensor:
    """KL(r || prior) = sum_k r_k log(r_k / prior_k), where r is the ratio of predicted classes."""
    ratio = logits.softmax(dim=1).mean(dim=(0, 2, 3))
    return (ratio * ((ratio + _TINY).log() - (prior + _TINY).log())).sum()


def class_ratio(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """The share of each class, float [K], in labels of any shape."""
    ratio: np.ndarray = np.bincount(labels.ravel(), minlength=n_classes) / labels.size
    return ratio


def _checked_prior(prior: Sequence[float] | np.ndarray, classes: int) -> np.ndarray:
    shares = np.asarray(prior, dtype=float)
    if shares.shape != (classes,) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-3:
        raise Problem(
            f"prior {shares.tolist()} is no class ratio; give {classes} shares, background first,"
            " that sum to 1"
        )
    return shares
