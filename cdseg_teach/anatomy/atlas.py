"""The real heart that every subject is made of: the label map that ships, checked when it is read.

Where it comes from, its licence and how it was derived stand in `heart_rodero01.txt` beside it.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from cdseg_teach.problems import Problem

ASSET = Path(__file__).with_name("heart_rodero01.nii.gz")
SHA256 = "98b168049d8d5fa334bacfdf30461956b97380212c05299d1a5aca01718c73c5"
LABELS = ("LV", "RV", "LA", "RA", "MYO", "AO", "PA", "other_wall", "AO_wall", "PA_wall")
GROOVES_MM = 12.0  # fat fills what is narrower on the heart's surface
MARGIN_MM = 30.0  # how far around the heart its distance is known


@functools.lru_cache(maxsize=1)
def read_heart() -> tuple[np.ndarray, np.ndarray]:
    """The label map uint8 [X, Y, Z], 0 is outside and k is :data:`LABELS`[k − 1]; its affine.

    RAS+ in mm; the origin is the middle of the heart.

    Raises
    ------
    Problem
        When the file is missing, or is not byte for byte the one that shipped.
    """
    try:
        content = ASSET.read_bytes()
    except OSError as error:
        raise Problem(
            f"{ASSET.name}: {error.strerror}; the heart comes with cdseg_teach, install it again"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise Problem(
            f"{ASSET.name}: is not the heart that came with cdseg_teach, install it again"
        )
    image = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    return np.asarray(image.dataobj), image.affine


def heart_at(points: Tensor) -> Tensor:
    """Shares of the ten labels at points in mm: [N, Z, Y, X, 3] (x, y, z) to [N, 10, Z, Y, X]."""
    labels, affine = _one_hot()
    return sample_at(labels.to(points.device), affine, points, outside="zeros")


def distance_to_heart(points: Tensor) -> Tensor:
    """Distance in mm to the heart with its grooves filled, negative inside: [N, Z, Y, X]."""
    distance, affine = _distance()
    return sample_at(distance.to(points.device), affine, points, outside="border")[:, 0]


def sample_at(volume: Tensor, affine: np.ndarray, points: Tensor, *, outside: str) -> Tensor:
    """A volume read at points in mm by trilinear interpolation.

    Parameters
    ----------
    volume
        [C, Z, Y, X].
    affine
        4x4 without rotation, voxel (x, y, z) to mm.
    points
        [N, Z', Y', X', 3], mm in order (x, y, z).
    outside
        "zeros" or "border", as in torch.nn.functional.grid_sample.

    Returns
    -------
    [N, C, Z', Y', X']
    """
    first = points.new_tensor(affine[:3, 3])
    step = points.new_tensor(np.diag(affine)[:3])
    last = points.new_tensor(volume.shape[:0:-1]) - 1
    where = (points - first) / step / last * 2 - 1
    many = volume[None].expand(len(points), -1, -1, -1, -1)
    return F.grid_sample(many, where, mode="bilinear", padding_mode=outside, align_corners=True)


@functools.lru_cache(maxsize=1)
def _one_hot() -> tuple[Tensor, np.ndarray]:
    """One channel a label [10, Z, Y, X]."""
    labels, affine = read_heart()
    numbers = np.arange(1, len(LABELS) + 1)[:, None, None, None]
    channels = numbers == labels.T
    return torch.from_numpy(channels).float(), affine


@functools.lru_cache(maxsize=1)
def _distance() -> tuple[Tensor, np.ndarray]:
    """Signed distance in mm [1, Z, Y, X] on every other voxel, widened by the margin."""
    labels, affine = read_heart()
    step = 2 * affine[0, 0]
    margin = round(MARGIN_MM / step)
    heart = np.pad(labels.T[::2, ::2, ::2] > 0, margin)
    near = ndimage.distance_transform_edt(~heart, step) <= GROOVES_MM
    closed = ndimage.distance_transform_edt(near, step) > GROOVES_MM
    distance = ndimage.distance_transform_edt(~closed, step)
    distance -= ndimage.distance_transform_edt(closed, step)
    wider = np.diag([step, step, step, 1.0])
    wider[:3, 3] = affine[:3, 3] - margin * step
    return torch.from_numpy(distance[None]).float(), wider
