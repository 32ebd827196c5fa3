"""What transforms share: numbers are drawn first, then applied, so that each can be replayed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

#: What a transform has drawn: tensors by name, one entry a slice along the first axis. A stack
#: keeps those of its transforms in a list.
Parameters = dict[str, Any]


class Transform(ABC):
    """A random change of normalised slices; strength 0 changes nothing, bit for bit.

    Slices are [N, C, H, W] as learners draw them: zero mean and unit spread over the foreground,
    0 outside, and 0 they stay there. Each slice is changed by itself, whatever lies beside it in
    the batch.
    """

    @abstractmethod
    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """Random numbers for slices of a shape (N, C, H, W), on the generator's device."""

    @abstractmethod
    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """New images [N, C, H, W]: the same for the same parameters, as often as you like.

        Parameters
        ----------
        images
            [N, C, H, W].
        parameters
            What `draw` gave, on the images' device.
        labels
            Class indices [N, H, W]; only `Synthesis` looks at them.
        """

    @torch.no_grad()
    def __call__(
        self, images: Tensor, generator: torch.Generator, labels: Tensor | None = None
    ) -> Tensor:
        """Draw, then apply; nothing can be learned through it."""
        parameters = self.draw(images.shape, generator)
        # Sums over a slice are faster where each channel of it lies in one piece.
        return self.apply(images.contiguous(), to_device(parameters, images.device), labels)


def to_device(parameters: Parameters, device: torch.device) -> Parameters:
    """Parameters on a device."""
    return _each(parameters, lambda values: values.to(device))


def of_slices(parameters: Parameters, chosen: Tensor) -> Parameters:
    """Parameters of some slices of the batch, by their indices."""
    return _each(parameters, lambda values: values[chosen])


def _each(parameters: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(parameters, dict):
        return {name: _each(value, change) for name, value in parameters.items()}
    if isinstance(parameters, list):
        return [_each(value, change) for value in parameters]
    return change(parameters)


def foreground(images: Tensor) -> Tensor:
    """Where a slice shows anything: bool [N, 1, H, W]."""
    return (images != 0).any(dim=1, keepdim=True)


def only_inside(changed: Tensor, images: Tensor, acts: Tensor | None = None) -> Tensor:
    """`changed` over the foreground, `images` (0) elsewhere.

    Parameters
    ----------
    changed, images
        [N, C, H, W].
    acts
        bool, [N, C] or [N, 1]: where it is False a strength of 0 was drawn, and `images` remain as
        they are, without the last digit that arithmetic would change.
    """
    inside = foreground(images)
    return torch.where(inside if acts is None else inside & acts[..., None, None], changed, images)


def unit_range(images: Tensor) -> Tensor:
    """Each slice and channel from 0, the foreground's darkest pixel, to 1, its brightest."""
    outside = ~foreground(images)
    low = images.masked_fill(outside, torch.inf).amin(dim=(2, 3), keepdim=True)
    high = images.masked_fill(outside, -torch.inf).amax(dim=(2, 3), keepdim=True)
    return ((images - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)


def with_moments_of(images: Tensor, changed: Tensor) -> Tensor:
    """`changed`, normalised again: with the mean and the spread that `images` have.

    Whatever happened to a slice in the scanner, what a learner is given was normalised afterwards.
    """
    inside = foreground(images)
    mean, std = moments(images, inside)
    return normalised(changed, inside) * std + mean


def normalised(images: Tensor, inside: Tensor) -> Tensor:
    """Zero mean and unit spread inside; a slice that is constant there becomes 0."""
    mean, std = moments(images, inside)
    return (images - mean) / std.clamp_min(1e-6)


def moments(images: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each slice and channel inside, [N, C, 1, 1]."""
    count = inside.sum(dim=(2, 3), keepdim=True).clamp_min(1)
    mean = torch.where(inside, images, 0).sum(dim=(2, 3), keepdim=True) / count
    centred = torch.where(inside, images - mean, 0)
    return mean, centred.norm(dim=(2, 3), keepdim=True) / count.sqrt()
