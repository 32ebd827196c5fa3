"""Train on S: ordinary supervised learning, the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import to_device
from cdseg_teach.methods.learner import Learner

if TYPE_CHECKING:
    from cdseg_teach.cohorts.study import Subject
    from cdseg_teach.methods.augmentation import MixStyle, Transform


class Supervised(Learner):
    """Minimise L_seg on labelled slices of one domain.

    Parameters
    ----------
    subjects
        Labelled training subjects of S.
    augment
        A transform, usually a `Stack`, that changes each batch before it is seen; None changes
        nothing. A live attribute.
    mix_style
        Mixes features inside the segmenter in each step, and never in a prediction; None does not.
        A live attribute.
    options
        All others, as in `Learner`.

    Examples
    --------
    >>> learner = Supervised(study.source.train, seed=0)         # doctest: +SKIP
    >>> for report in steps(learner, 500):                       # doctest: +SKIP
    ...     print(report["loss_seg"])
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        *,
        augment: Transform | None = None,
        mix_style: MixStyle | None = None,
        **options: Any,
    ) -> None:
        super().__init__(subjects, **options)
        self.augment = augment
        self.mix_style = mix_style

    def step(self) -> dict[str, float]:
        """One batch of S, one step down the gradient of L_seg."""
        images, labels = self.source.draw()

        self.optimiser.zero_grad()
        with self._mixing(images):
            logits = self.segmenter(images)
        loss_seg = segmentation_loss(logits, labels)
        loss_seg.backward()

        report = {"loss_seg": loss_seg.item(), "learning_rate": self.learning_rate}
        self._update_segmenter()
        self.steps_done += 1
        return report

    def _mixing(self, images: Tensor) -> AbstractContextManager[None]:
        if self.mix_style is None:
            return nullcontext()
        parameters = self.mix_style.draw(images.shape, self.source.augment_generator)
        return self.mix_style.inside(self.segmenter, to_device(parameters, images.device))


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """L_seg = cross-entropy + (1 - soft Dice), the Dice a mean over the foreground classes.

    Parameters
    ----------
    logits
        [N, K, H, W].
    labels
        Class indices [N, H, W], 0 is background.

    References
    ----------
    Milletari et al. 2016, "V-Net" (soft Dice).
    """
    probabilities = logits.softmax(dim=1)
    truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(probabilities.dtype)
    return F.cross_entropy(logits, labels) + 1 - soft_dice(probabilities, truth)


def soft_dice(probabilities: Tensor, truth: Tensor) -> Tensor:
    """The Dice of probabilities [N, K, H, W] with others: over the batch, mean over foreground."""
    probabilities, truth = probabilities[:, 1:], truth[:, 1:]
    overlap = (probabilities * truth).sum(dim=(0, 2, 3))
    sizes = (probabilities + truth).sum(dim=(0, 2, 3))
    # Plus 1: a batch without the structure asks for none, and does not divide by zero.
    return ((2 * overlap + 1) / (sizes + 1)).mean()
