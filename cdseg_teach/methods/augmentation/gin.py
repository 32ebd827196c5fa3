"""GIN: what a random shallow network makes of a slice, the shapes kept, the contrast anyone's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import (
    Parameters,
    Transform,
    foreground,
    only_inside,
)

_WIDTHS = (1, 2, 2, 2, 1)  # channels before, between and after the four layers


@dataclass(frozen=True)
class GIN(Transform):
    """Global intensity non-linear augmentation: x ← a g(x) + (1 − a) x, its norm kept.

    g has four convolutions with weights and shifts ~ N(0, 1), of 1x1 or 3x3 with equal chance, two
    channels inside and leaky ReLUs between; a ~ U(0, strength). Each slice and channel has a
    network of its own, so that channels stay apart, and the Frobenius norm that it had.

    Parameters
    ----------
    strength
        Largest weight of g, 0 to 1; the paper's is 1.

    References
    ----------
    Ouyang et al. 2022, "Causality-inspired single-source domain generalization for medical image
    segmentation".
    """

    strength: float = 1.0

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """Weights and networks.

        `weight` a, [N, C]; of each layer `kernels0` ... [N, C, out, in, 3, 3] and `shifts0` ...
        [N, C, out].
        """
        parameters = {"weight": self.strength * torch.rand(*shape[:2], generator=generator)}
        for layer, (inputs, outputs) in enumerate(pairwise(_WIDTHS)):
            kernels = torch.randn(*shape[:2], outputs, inputs, 3, 3, generator=generator)
            # A 1x1 convolution is a 3x3 one with nothing around its centre.
            pointwise = torch.rand(*shape[:2], 1, 1, 1, 1, generator=generator) < 0.5
            around = torch.ones(3, 3, dtype=torch.bool)
            around[1, 1] = False
            parameters[f"kernels{layer}"] = kernels.masked_fill(pointwise & around, 0)
            parameters[f"shifts{layer}"] = torch.randn(*shape[:2], outputs, generator=generator)
        return parameters

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices as their random networks see them."""
        weight = parameters["weight"][..., None, None]
        changed = torch.where(
            foreground(images), torch.lerp(images, _networks(images, parameters), weight), 0
        )
        norm, new_norm = (x.norm(dim=(2, 3), keepdim=True) for x in (images, changed))
        return only_inside(
            changed * (norm / new_norm.clamp_min(1e-6)), images, weight[..., 0, 0] > 0
        )


def _networks(images: Tensor, parameters: Parameters) -> Tensor:
    """All networks at once, as groups of one convolution."""
    groups = images.shape[0] * images.shape[1]
    x = images.reshape(1, groups, *images.shape[2:])
    # Groups of two channels are three times as fast on a CPU when channels lie side by side.
    x = x.contiguous(memory_format=torch.channels_last)
    for layer in range(len(_WIDTHS) - 1):
        if layer:
            x = F.leaky_relu(x)
        kernels, shifts = parameters[f"kernels{layer}"], parameters[f"shifts{layer}"]
        x = F.conv2d(x, kernels.flatten(0, 2), shifts.flatten(), padding=1, groups=groups)
    return x.reshape(images.shape)
