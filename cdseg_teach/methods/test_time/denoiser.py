"""A denoising autoencoder of label maps: what a plausible segmentation looks like.

It works slice by slice, as the networks here do; the reference's is three-dimensional.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from tqdm.auto import tqdm

from cdseg_teach.methods.sampling import seed_for
from cdseg_teach.methods.schedules import warm_up_and_cosine
from cdseg_teach.methods.supervised import segmentation_loss
from cdseg_teach.networks import UNet, seeded_weights
from cdseg_teach.problems import Problem

# The reference: up to 200 boxes with a half side of up to 10 voxels, anywhere in 64 x 256 x 256.
# Here the same side, relative to a slice's. The lecture's structures fill so little of a slice that
# boxes anywhere would miss them, so each box meets one; few boxes (chosen) leave something to mend
# by.
_LARGEST = 10 / 256
_BOXES = 5

#: Goes through steps, and shows how far it is.
Progress = Callable[[Iterable[int]], Iterable[int]]
BAR: Progress = partial(tqdm, desc="denoiser", unit="step", leave=False)


def train_denoiser(
    labels: np.ndarray,
    n_classes: int,
    *,
    seed: int = 0,
    steps: int = 200,
    batch_size: int = 8,
    learning_rate: float = 1e-2,
    device: torch.device | str = "cpu",
    progress: Progress = BAR,
) -> nn.Module:
    """A network from spoilt label maps to whole ones, trained on labels alone.

    As in the reference it is a U-Net without a connection that skips everything: the input is not
    handed to the output at full resolution.

    Parameters
    ----------
    labels
        Class indices, uint8 [N, H, W], slices of S; those that show a structure are used.
    n_classes
        With the background.
    seed
        Of weights, batches and damage.
    steps, batch_size, learning_rate
        Of its training with Adam, warmed up and decayed; chosen, so that it takes seconds.
    progress
        What its steps are taken through; a progress bar of tqdm unless told.

    Returns
    -------
    A frozen network from class probabilities [N, K, H, W] to logits [N, K, H, W].

    Raises
    ------
    Problem
        If no label shows a structure.

    References
    ----------
    Vincent et al. 2010, "Stacked denoising autoencoders"; Karani et al. 2021, "Test-time adaptable
    neural networks for robust medical image segmentation", for the damage.
    """
    shown = labels[labels.any(axis=(1, 2))]
    if not len(shown):
        raise Problem("no label shows a structure to learn from; give labelled slices of S")
    with seeded_weights(seed_for("denoiser", seed)):
        network = UNet(n_classes, n_classes, widths=(8, 16, 32))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule = LambdaLR(optimiser, lambda step: warm_up_and_cosine(step, steps))
    rng = np.random.default_rng(seed_for("damage", seed))

    for _ in progress(range(steps)):
        whole = shown[rng.integers(len(shown), size=batch_size)]
        spoilt = one_hot(spoil(whole, rng), n_classes).to(device)
        loss = segmentation_loss(network(spoilt), torch.from_numpy(whole).long().to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def spoil(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Label maps [N, H, W] in which some boxes show another place of the same map (a jigsaw).

    Each box either covers a place of the structures with what lies anywhere else, or carries such
    a place anywhere else. A map without structures stays as it is.
    """
    spoilt = labels.copy()
    size = np.array(labels.shape[1:])
    largest = max(1, round(_LARGEST * size.min()))
    for whole, jigsaw in zip(labels, spoilt, strict=True):
        places = np.argwhere(whole)
        for _ in range(rng.integers(1, _BOXES + 1) if len(places) else 0):
            side = 2 * rng.integers(1, largest + 1)
            anywhere = rng.integers(size - side + 1)
            there = np.clip(rng.choice(places) - side // 2, 0, size - side)
            (y, x), (from_y, from_x) = rng.permutation([anywhere, there])
            box = whole[from_y : from_y + side, from_x : from_x + side]
            jigsaw[y : y + side, x : x + side] = box
    return spoilt


def one_hot(labels: np.ndarray, n_classes: int) -> Tensor:
    """Class indices [N, H, W] as probabilities, float [N, K, H, W]."""
    return F.one_hot(torch.from_numpy(labels).long(), n_classes).movedim(-1, 1).float()
