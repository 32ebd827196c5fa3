import math

import pytest
import torch

from cdseg_teach.anatomy import Grid
from cdseg_teach.anatomy.draw import generators
from cdseg_teach.scanners.artefacts import bias_field, rician_noise, slice_profile

GRID = Grid(shape=(6, 16, 16), spacing_mm=(4.0, 8.0, 8.0), fine=2)


@pytest.mark.parametrize("thickness_mm", [0.5, 4.0, 5.0, 12.0])
def test_slice_profile_keeps_a_constant(thickness_mm):
    fine = torch.full((2, *GRID.fine_shape), 0.7)
    profile = slice_profile(fine, GRID, thickness_mm)
    torch.testing.assert_close(profile, torch.full((2, *GRID.shape), 0.7))


def test_slice_profile_is_the_identity_when_planes_are_slices():
    grid = Grid(shape=(6, 16, 16), spacing_mm=(4.0, 8.0, 8.0), fine=1)
    fine = torch.rand(1, *grid.fine_shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(slice_profile(fine, grid, 4.0), fine)


def test_slice_profile_of_one_bright_plane():
    """Plane 5 (2 mm) is the upper half of slice 2; an 8 mm slice reaches 2 mm beyond each side."""
    fine = torch.zeros(1, *GRID.fine_shape)
    fine[:, 5] = 1
    thin = slice_profile(fine, GRID, 4.0)[0, :, 0, 0]
    torch.testing.assert_close(thin, torch.tensor([0, 0, 0.5, 0, 0, 0]))
    assert torch.equal(thin, slice_profile(fine, GRID, 1.0)[0, :, 0, 0]), "thinner is averaged up"
    thick = slice_profile(fine, GRID, 8.0)[0, :, 0, 0]
    torch.testing.assert_close(thick, torch.tensor([0, 0, 0.25, 0.25, 0, 0]))


def test_bias_of_strength_zero_is_one():
    assert torch.equal(bias_field(GRID, 0.0, generators([1])), torch.ones(1, 1, *GRID.shape))


def test_strength_of_the_bias_is_the_deviation_of_its_logarithm():
    fields = bias_field(GRID, 0.1, generators(range(3)))
    torch.testing.assert_close(fields.log().flatten(1).std(1), torch.full((3,), 0.1))


def test_noise_of_sigma_zero_is_the_identity():
    signal = torch.rand(2, 3, *GRID.shape)
    silent = rician_noise(signal, torch.zeros(2, 3), generators([0, 1]))
    torch.testing.assert_close(silent, signal, rtol=1e-6, atol=0)  # the root of a square rounds


def test_noise_in_the_background_is_rayleigh_and_follows_each_channels_sigma():
    sigma = torch.tensor([[0.02, 0.1]])
    noisy = rician_noise(torch.zeros(1, 2, 24, 48, 48), sigma, generators([0]))
    mean = noisy.mean(dim=(2, 3, 4))
    torch.testing.assert_close(mean, sigma * math.sqrt(math.pi / 2), rtol=0.02, atol=0)


def test_noise_of_a_bright_signal_is_gaussian():
    noisy = rician_noise(torch.ones(1, 1, 24, 48, 48), torch.tensor([[0.02]]), generators([0]))
    assert noisy.std().item() == pytest.approx(0.02, rel=0.02)


def test_draws_do_not_depend_on_the_subjects_beside():
    signal, sigma = torch.rand(2, 3, *GRID.shape), torch.full((2, 3), 0.1)
    together = rician_noise(signal, sigma, generators([7, 8]))
    alone = rician_noise(signal[1:], sigma[1:], generators([8]))
    assert torch.equal(together[1:], alone)
    fields = bias_field(GRID, 0.2, generators([7, 8]))
    assert torch.equal(fields[1:], bias_field(GRID, 0.2, generators([8])))
