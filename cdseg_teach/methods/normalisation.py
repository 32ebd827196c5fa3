"""Which statistics norm layers normalise with, said out loud.

Batch normalisation has two: those of the batch at hand and the running ones kept in buffers. In
domain adaptation the choice matters as much as the method, so nothing here is left to `train()`
and `eval()` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

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


def _layers_with_buffers(segmenter: nn.Module) -> list[_NormBase]:
    return [
        module
        for module in segmenter.modules()
        if isinstance(module, _NormBase) and module.running_mean is not None
    ]
