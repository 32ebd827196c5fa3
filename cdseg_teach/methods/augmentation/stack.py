"""Several transforms one after the other, each by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import Parameters, Transform, of_slices


@dataclass(frozen=True)
class Stack(Transform):
    """Apply transforms in order, each to a slice with a probability of its own.

    Parameters
    ----------
    steps
        Pairs of a transform (which may be a stack) and a probability, 0 to 1.

    Examples
    --------
    >>> from cdseg_teach.methods.augmentation import Gamma, Noise
    >>> stack = Stack(((Gamma(), 0.5), (Noise(), 0.5)))
    >>> images = torch.zeros(2, 1, 8, 8)
    >>> parameters = stack.draw(images.shape, torch.Generator().manual_seed(0))
    >>> stack.apply(images, parameters).shape
    torch.Size([2, 1, 8, 8])
    """

    steps: tuple[tuple[Transform, float], ...]

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`on`, bool [N, steps], and `steps`, a list of what each transform drew for all slices."""
        probabilities = torch.tensor([probability for _, probability in self.steps])
        on = torch.rand(shape[0], len(self.steps), generator=generator) < probabilities
        return {"on": on, "steps": [step.draw(shape, generator) for step, _ in self.steps]}

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices after all transforms."""
        steps = zip(self.steps, parameters["steps"], parameters["on"].T, strict=True)
        for (transform, _), drawn, on in steps:
            chosen = on.nonzero()[:, 0]
            if len(chosen):
                changed = transform.apply(
                    images[chosen],
                    of_slices(drawn, chosen),
                    None if labels is None else labels[chosen],
                )
                images = images.index_copy(0, chosen, changed)
        return images
