import math

import pytest
import torch

from cdseg_teach.anatomy import Grid
from cdseg_teach.anatomy.draw import generators, smooth_field
from cdseg_teach.anatomy.warps import (
    _affine_matrices,
    _identity,
    _sample,
    exponential,
    jacobian_determinant,
    random_maps,
    resample,
)

GRID = Grid(shape=(12, 48, 48), spacing_mm=(8.0, 4.0, 4.0))
SHAPE = (16, 24, 24)


def test_no_velocity_is_the_identity():
    assert torch.equal(exponential(torch.zeros(1, 3, *SHAPE)), torch.zeros(1, 3, *SHAPE))


def test_a_flow_and_its_reverse_cancel():
    velocity = 0.1 * smooth_field(SHAPE, (4.0, 4.0, 4.0), 32.0, generators([0]), channels=3)
    forth, back = exponential(velocity), exponential(-velocity)
    where = _identity(SHAPE, velocity.device) + back.permute(0, 2, 3, 4, 1)
    both = (back + _sample(forth, where))[..., 3:-3, 4:-4, 4:-4]
    assert both.abs().max() < 0.1 * forth.abs().max()


def test_a_constant_velocity_is_a_shift():
    velocity = torch.full((1, 3, *SHAPE), 0.05)
    torch.testing.assert_close(exponential(velocity), velocity)


def test_jacobian_of_an_affine_map_is_its_determinant():
    matrix = torch.tensor([[1.1, 0.2, 0.0], [-0.1, 0.9, 0.05], [0.0, 0.1, 1.2]])
    where = _identity(SHAPE, torch.device("cpu")) @ matrix.T + 0.3
    determinant = jacobian_determinant(where)
    assert determinant.shape == (1, 15, 23, 23)
    torch.testing.assert_close(
        determinant, torch.linalg.det(matrix).expand_as(determinant), rtol=1e-3, atol=1e-3
    )


def test_jacobian_of_a_mirrored_map_is_negative():
    mirrored = _identity(SHAPE, torch.device("cpu")) * torch.tensor([-1.0, 1.0, 1.0])
    assert (jacobian_determinant(mirrored) < 0).all()


def test_random_maps_never_fold():
    where = random_maps(GRID, generators(range(20)))
    assert where.shape == (20, *GRID.fine_shape, 3)
    assert jacobian_determinant(where).min() > 0.1


def test_a_map_that_would_fold_is_tamed_and_leaves_the_others_alone():
    wild = random_maps(GRID, generators([0, 1]), global_mm=60.0)
    assert jacobian_determinant(wild).min() > 0.1
    tame, other = random_maps(GRID, generators([2]), global_mm=9.0), generators([2, 3])
    torch.testing.assert_close(random_maps(GRID, other, global_mm=9.0)[:1], tame)


def test_no_warp_and_no_affine_map_is_the_identity():
    where = random_maps(GRID, generators([4]), global_mm=0.0, local_mm=0.0, affine=0.0)
    volume = torch.rand(1, 2, *GRID.fine_shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(where, _identity(GRID.fine_shape, where.device), atol=1e-6, rtol=0)
    torch.testing.assert_close(resample(volume, where), volume, atol=1e-4, rtol=0)


def test_affine_maps_stay_within_their_ranges():
    extent = torch.tensor([188.0, 188.0, 92.0])
    matrices = _affine_matrices(generators(range(50)), 1.0, extent)
    in_mm = matrices[:, :, :3] * extent[None, :, None] / extent[None, None, :]
    scales = in_mm.norm(dim=1)
    assert scales.min() >= 0.94 - 1e-5
    assert scales.max() <= 1.06 + 1e-5
    rotations = in_mm / scales[:, None, :]
    gram = rotations.transpose(1, 2) @ rotations
    torch.testing.assert_close(gram, torch.eye(3).expand_as(gram), atol=1e-5, rtol=0)
    trace = rotations.diagonal(dim1=1, dim2=2).sum(1)
    angle = torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))
    assert angle.max() <= 6 * math.sqrt(3)
    assert (matrices[:, :, 3] * extent / 2).abs().max() <= 4


def test_the_displacement_is_of_the_size_asked_for():
    where = random_maps(GRID, generators(range(8)), local_mm=0.0, affine=0.0)
    moved = where - _identity(GRID.fine_shape, where.device)
    extent = torch.tensor([(n - 1) * 4.0 for n in reversed(GRID.fine_shape)])
    assert 1.0 < (moved * extent / 2).std().item() < 5.0


def test_outside_the_template_is_nothing():
    where = torch.full((1, 2, 8, 8, 3), 1.5)
    assert resample(torch.ones(1, 1, 4, 8, 8), where).abs().max() == 0


@pytest.mark.parametrize("seeds", [[5, 6], [3, 4, 6]])
def test_a_map_does_not_depend_on_the_subjects_beside(seeds):
    reference = random_maps(GRID, generators([6]))
    assert torch.equal(random_maps(GRID, generators(seeds))[-1:], reference)
