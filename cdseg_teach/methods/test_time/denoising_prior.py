"""A denoising prior: change the image until its segmentation looks like a plausible one."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from cdseg_teach.methods.learner import Learner
from cdseg_teach.methods.normalisation import running_statistics
from cdseg_teach.methods.sampling import seed_for
from cdseg_teach.methods.supervised import soft_dice
from cdseg_teach.methods.test_time.base import Adaptation, Loss, Statistics, class_count
from cdseg_teach.methods.test_time.denoiser import BAR, Progress, train_denoiser
from cdseg_teach.methods.test_time.tent import entropy
from cdseg_teach.networks import seeded_weights

_FILTERS = 16
_REFRESH = 10  # steps for which a denoised target stands: a quarter of a run, as in the reference


class DenoisingPrior(Adaptation):
    """Put a small normaliser before the network, and tune it until a denoiser agrees.

        L = 1 - Dice(p, d),   d = denoiser(p), taken anew every 10 steps and constant in between

    The segmenter stays as it is, running statistics included; only the normaliser moves. It starts
    as the identity.

    Parameters
    ----------
    learner
        Trained on S.
    denoiser
        As `train_denoiser` makes it; None trains one on the learner's training labels, which takes
        seconds.
    steps, learning_rate
        Of Adam. 1e-3 as in the reference, which takes 100 steps; 40 last some seconds.
    seed
        Of the normaliser, and of the denoiser that is trained here.
    options
        All others, as in `Adaptation`: episodic, predict_from, progress.

    References
    ----------
    Karani et al. 2021, "Test-time adaptable neural networks for robust medical image segmentation".
    There the normaliser is trained with the segmenter on S; here it is added afterwards, so that
    any trained network will do. The reference keeps the step on which the denoiser agreed most;
    here it is the last one.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        denoiser: nn.Module | None = None,
        steps: int = 40,
        learning_rate: float = 1e-3,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(learner, steps=steps, learning_rate=learning_rate, **options)
        self.seed = seed
        self.denoiser = denoiser_of(learner, seed=seed) if denoiser is None else denoiser

    def _adaptable(self, network: nn.Module) -> nn.Module:
        with seeded_weights(seed_for("normaliser", self.seed)):
            normaliser = Normaliser(self.learner.in_channels)
        normaliser.to(self.learner.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return nn.Sequential(OrderedDict(normaliser=normaliser, segmenter=network))

    def _statistics(self) -> Statistics:
        return running_statistics

    def _loss(self) -> Loss:
        return _Disagreement(self.denoiser)


def denoiser_of(learner: Learner, *, seed: int = 0, progress: Progress = BAR) -> nn.Module:
    """A denoiser of the labels that a learner was trained on; see `train_denoiser`."""
    assert learner.source.labels is not None
    labels, device = learner.source.labels.cpu().numpy(), learner.device
    return train_denoiser(labels, class_count(learner), seed=seed, device=device, progress=progress)


class Normaliser(nn.Module):
    """An image plus what two layers of 16 filters make of it, which is nothing at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(_FILTERS, channels, kernel_size=3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.change = nn.Sequential(
            nn.Conv2d(channels, _FILTERS, kernel_size=3, padding=1),
            RadialBasis(_FILTERS),
            nn.Conv2d(_FILTERS, _FILTERS, kernel_size=3, padding=1),
            RadialBasis(_FILTERS),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W], changed."""
        changed: Tensor = x + self.change(x)
        return changed


class RadialBasis(nn.Module):
    """exp(-x^2 / scale^2), with a scale for each channel that is learned."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.normal(0.2, 0.05, (1, channels, 1, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Activations, in 0..1."""
        return torch.exp(-(x * (1 / self.scale)).square())


class _Disagreement:
    """1 - Dice between the prediction and what the denoiser made of an earlier one."""

    def __init__(self, denoiser: nn.Module) -> None:
        self.denoiser = denoiser
        self.calls = 0

    def __call__(self, logits: Tensor) -> tuple[Tensor, dict[str, float]]:
        probabilities = logits.softmax(dim=1)
        if self.calls % _REFRESH == 0:
            with torch.no_grad():
                self.denoised = self.denoiser(probabilities).softmax(dim=1)
        self.calls += 1
        loss = 1 - soft_dice(probabilities, self.denoised)
        return loss, {"loss": loss.item(), "entropy": entropy(logits.detach()).mean().item()}
