"""MixStyle: inside the network, the statistics of one slice's features on another's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cdseg_teach.methods.augmentation.transform import Parameters
from cdseg_teach.networks import submodules


@dataclass(frozen=True)
class MixStyle:
    """Mix mean and spread of each channel at some taps with those of another slice in the batch.

    f ← σ' (f − μ) / σ + μ',  μ' = (1 − w) μ + w μ_other,  σ' = (1 − w) σ + w σ_other

    with w = strength · Beta(0.1, 0.1) in half of the cases, else 0. μ and σ are taken over the
    feature map and are constants to the gradient.

    Parameters
    ----------
    strength
        0 to 1; the paper's is 1, and 0 changes nothing, bit for bit.
    taps
        Names of the segmenter's modules; the first blocks, where style still is.

    References
    ----------
    Zhou et al. 2021, "Domain generalization with MixStyle"; there a whole batch is mixed or not.
    """

    strength: float = 1.0
    taps: tuple[str, ...] = ("encoder1", "encoder2")

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`weight` w and `other`, the index of the other slice, both [N, taps]."""
        size = (shape[0], len(self.taps))
        # torch draws no Beta from a generator of ours; numpy does from a seed.
        seed = int(torch.randint(2**62, (), generator=generator))
        beta = torch.from_numpy(np.random.default_rng(seed).beta(0.1, 0.1, size)).float()
        mixes = torch.rand(size, generator=generator) < 0.5
        others = [torch.randperm(shape[0], generator=generator) for _ in self.taps]
        return {"weight": self.strength * beta * mixes, "other": torch.stack(others, dim=1)}

    @contextmanager
    def inside(self, segmenter: nn.Module, parameters: Parameters) -> Iterator[None]:
        """Within, what the segmenter computes at the taps is mixed.

        Raises
        ------
        Problem
            If a tap is no submodule of the segmenter.
        """
        hooks = [
            module.register_forward_hook(
                lambda _module, _inputs, out, w=w, other=other: mixed(out, w, other)
            )
            for module, w, other in zip(
                submodules(segmenter, self.taps),
                parameters["weight"].T,
                parameters["other"].T,
                strict=True,
            )
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def mixed(features: Tensor, weight: Tensor, other: Tensor) -> Tensor:
    """Features [N, c, h, w] with statistics mixed by weight [N] with those of slices other [N]."""
    w = weight.to(features)[:, None, None, None]
    with torch.no_grad():
        variance, mean = torch.var_mean(features, dim=(2, 3), keepdim=True)
        std = (variance + 1e-6).sqrt()
        new_mean, new_std = (torch.lerp(own, own[other], w) for own in (mean, std))
    return torch.where(w > 0, (features - mean) / std * new_std + new_mean, features)
