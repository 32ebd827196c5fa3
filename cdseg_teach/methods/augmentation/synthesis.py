"""Synthesis: an image that was never scanned, painted from labels in random colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import (
    Parameters,
    Transform,
    foreground,
    normalised,
    only_inside,
)
from cdseg_teach.problems import Problem

_CUTS = 4


@dataclass(frozen=True)
class Synthesis(Transform):
    """Paint each class with a mean ~ U(25, 225) and a spread ~ U(5, 25) of its own, then normalise.

    The classes are the labelled structures, and the background cut into five at four random
    thresholds ~ N(0, 1) of one of the slice's channels, averaged over 3x3 pixels: what has no label
    still has anatomy, and noise has none. Of the image nothing else is used. Each channel has its
    own means and spreads.

    Parameters
    ----------
    strength
        Weight of the painted image against the slice itself, 0 to 1.
    structures
        Highest label that can occur.

    References
    ----------
    Billot et al. 2023, "SynthSeg", for means and spreads; there every tissue has a label. The cuts
    are ours.
    """

    strength: float = 1.0
    structures: int = 7

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """What to cut and how to paint.

        `weight` [N, 1], `channel` [N], `thresholds` [N, 4], `means` and `spreads` [N, C, classes],
        `texture` [N, C, H, W].
        """
        n, channels = shape[:2]
        colours = (n, channels, _CUTS + 1 + self.structures)
        return {
            "weight": torch.full((n, 1), float(self.strength)),
            "channel": torch.randint(channels, (n,), generator=generator),
            "thresholds": torch.randn(n, _CUTS, generator=generator),
            "means": 25 + 200 * torch.rand(colours, generator=generator),
            "spreads": 5 + 20 * torch.rand(colours, generator=generator),
            "texture": torch.randn(*shape, generator=generator),
        }

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Painted slices."""
        if labels is None:
            raise Problem("images are synthesised from labels; give the slices' labels")
        if labels.max() > self.structures:
            raise Problem(
                f"label {int(labels.max())} is beyond structures={self.structures}; raise that"
            )
        classes = _classes(images, parameters, labels).flatten(1)[:, None]
        classes = classes.expand(-1, images.shape[1], -1)
        mean, spread = (
            parameters[name].gather(2, classes).reshape(images.shape)
            for name in ("means", "spreads")
        )
        painted = normalised(mean + spread * parameters["texture"], foreground(images))
        weight = parameters["weight"]
        return only_inside(torch.lerp(images, painted, weight[..., None, None]), images, weight > 0)


def _classes(images: Tensor, parameters: Parameters, labels: Tensor) -> Tensor:
    """Class of each pixel, [N, H, W]: 0 to 4 for the parts of the background, then the labels."""
    slices = torch.arange(len(images), device=images.device)
    channel = F.avg_pool2d(images[slices, parameters["channel"]], 3, stride=1, padding=1)
    above = channel[:, None] > parameters["thresholds"][..., None, None]
    return torch.where(labels > 0, labels + _CUTS, above.sum(dim=1))
