"""Adversarial adaptation of what the segmenter says, instead of how it comes to say it.

Where modalities differ as MR and CT do, features may never look alike, and need not: a heart has
one shape in both. So D hears the segmenter's output. The game is that of `Adversarial.step`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.methods.adversarial import Adversarial
from cdseg_teach.problems import Problem

if TYPE_CHECKING:
    from cdseg_teach.cohorts.study import Study

HEARS = ("probabilities", "self_information")


class OutputAdversarial(Adversarial):
    """A discriminator on the segmenter's output, alone or together with its features.

    Parameters
    ----------
    study
        S with labels, T without.
    hears
        `"probabilities"`, the softmax p (AdaptSegNet), or `"self_information"`, −p log p of each
        class (AdvEnt).
    with_features
        True lets the same discriminator hear the taps as well.
    options
        All others, as in `Adversarial`.

    References
    ----------
    Tsai et al. 2018, "Learning to adapt structured output space for semantic segmentation"; Vu et
    al. 2019, "AdvEnt: adversarial entropy minimization for domain adaptation", section 3.2.
    """

    def __init__(
        self,
        study: Study,
        *,
        hears: str = "probabilities",
        with_features: bool = False,
        **options: Any,
    ) -> None:
        if hears not in HEARS:
            raise Problem(f"hears {hears!r} is not one of {', '.join(map(repr, HEARS))}")
        self.hears, self.with_features = hears, with_features
        super().__init__(study, **options)

    def _heard(self, logits: Tensor, features: list[Tensor]) -> list[Tensor]:
        said = logits.softmax(dim=1) if self.hears == "probabilities" else self_information(logits)
        folded = _at_half_resolution(said)
        return [*features, folded] if self.with_features else [folded]


def self_information(logits: Tensor) -> Tensor:
    """−p log p of each class, [N, K, H, W]; its sum over the classes is the entropy in nats."""
    log_p = logits.log_softmax(dim=1)
    return -log_p.exp() * log_p


def _at_half_resolution(x: Tensor) -> Tensor:
    """Each 2 x 2 block of pixels as channels: all of the output, at the finest tap's resolution."""
    height, width = x.shape[-2:]
    return F.pixel_unshuffle(F.pad(x, (0, width % 2, 0, height % 2)), 2)
