"""Which statistics norm layers normalise with, said out loud.

Batch normalisation has two: those of the batch at hand and the running ones kept in buffers. In
domain adaptation the choice matters as much as the method, so nothing here is left to `train()`
and `eval()` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@contextmanager
def batch_statistics(segmenter: nn.Module) -> Iterator[None]:
    """Inside, norm layers use the statistics of what they are given and leave buffers alone."""
    layers = _layers_with_buffers(segmenter)
    before = [(layer.training, [getattr(layer, name) for name in _BUFFERS]) for layer in layers]
    for layer in layers:
        layer.training = True
        # A layer without buffers has no choice but the batch's own statistics.
        for name in _BUFFERS:
            setattr(layer, name, None)
    try:
        yield
    finally:
        for layer, (training, buffers) in zip(layers, before, strict=True):
            layer.training = training
            for name, buffer in zip(_BUFFERS, buffers, strict=True):
                setattr(layer, name, buffer)


@contextmanager
def running_statistics(segmenter: nn.Module) -> Iterator[None]:
    """Inside, norm layers use their running statistics and leave them alone."""
    layers = _layers_with_buffers(segmenter)
    before = [layer.training for layer in layers]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer, training in zip(layers, before, strict=True):
            layer.training = training


@contextmanager
def mixed_statistics(segmenter: nn.Module, source_weight: float) -> Iterator[None]:
    """Inside, batch-norm layers use source_weight * running + (1 - source_weight) * batch.

    Means and variances are mixed, layer by layer: what a layer is given was normalised with the
    mixture already. At 1 this is `running_statistics`, at 0 `batch_statistics`, except that to a
    gradient the mixture is a constant.
    """

    @torch.no_grad()
    def mix(layer: _BatchNorm, inputs: tuple[Tensor]) -> None:
        source_mean, source_variance = source[layer]
        x = inputs[0]
        # Of all values of a channel, divided by their number, as in training.
        variance, mean = torch.var_mean(x, dim=[0, *range(2, x.ndim)], correction=0)
        layer.running_mean = torch.lerp(mean, source_mean, source_weight)
        layer.running_var = torch.lerp(variance, source_variance, source_weight)

    layers = [m for m in _layers_with_buffers(segmenter) if isinstance(m, _BatchNorm)]
    source: dict[nn.Module, Any] = {
        layer: (layer.running_mean, layer.running_var) for layer in layers
    }
    with running_statistics(segmenter), ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_pre_hook(mix).remove)
        try:
            yield
        finally:
            for layer in layers:
                layer.running_mean, layer.running_var = source[layer]


def _layers_with_buffers(segmenter: nn.Module) -> list[_NormBase]:
    return [
        module
        for module in segmenter.modules()
        if isinstance(module, _NormBase) and module.running_mean is not None
    ]
