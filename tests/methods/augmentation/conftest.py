"""Slices for every test of a transform."""

import pytest
import torch


def _slices(n=4, channels=2, size=(24, 20), cropped=True):
    draws = torch.Generator().manual_seed(7)
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in size), indexing="ij")
    labels = ((y**2 + x**2 < 0.5).long() + (y**2 + x**2 < 0.1).long()).repeat(n, 1, 1)
    images = torch.tensor([0.0, 2.0, -1.0])[labels][:, None]
    images = images + 0.4 * torch.randn(n, channels, *size, generator=draws)
    inside = (y.abs() < 0.9) & (x.abs() < 0.9) if cropped else torch.ones(size, dtype=torch.bool)
    values = images[..., inside]
    mean, std = values.mean(-1)[..., None, None], values.std(-1)[..., None, None]
    return torch.where(inside, (images - mean) / std, 0), labels


@pytest.fixture
def slices():
    """A disc with a hole on noise, normalised, nothing around: images [4, 2, 24, 20], labels."""
    return _slices()


@pytest.fixture
def uncropped():
    """The same without a border: everything is foreground."""
    return _slices(cropped=False)


@pytest.fixture
def draws():
    return torch.Generator().manual_seed(0)
