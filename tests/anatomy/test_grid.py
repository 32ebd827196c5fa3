import math

import numpy as np
import pytest
import torch

from cdseg_teach.anatomy import Grid
from cdseg_teach.anatomy.grid import box_mean
from cdseg_teach.problems import Problem


def test_the_affine_and_the_coordinates_agree():
    grid = Grid(shape=(3, 8, 16), spacing_mm=(4.0, 2.0, 1.0), centre_mm=(10.0, -20.0, 5.0), fine=1)
    z, y, x = grid.coordinates()
    for voxel in ((0, 0, 0), (15, 7, 2), (4, 3, 1)):
        by_affine = (grid.affine @ [*voxel, 1])[:3]
        at = voxel[::-1]
        np.testing.assert_allclose(by_affine, [x[at], y[at], z[at]], atol=1e-5)


def test_the_lattice_of_anatomy_fills_the_same_box():
    grid = Grid()
    assert grid.fine_shape == (48, 96, 96)
    assert grid.fine_spacing_mm == (2.0, 2.0, 2.0)
    assert grid.fine_voxel_mm3 == 8.0
    per_slice = grid.coordinates()[0, :, 0, 0].view(-1, grid.fine).mean(1)
    slices = grid.affine[2, 3] + 4.0 * torch.arange(24)
    torch.testing.assert_close(per_slice, slices.float())
    assert grid.coordinates().mean(dim=(1, 2, 3)).tolist() == pytest.approx([16, -17, 0], abs=1e-3)


@pytest.mark.parametrize(
    "wrong", [{"shape": (0, 96, 96)}, {"shape": (24, 90, 96)}, {"shape": (24, 96, 4)}, {"fine": 0}]
)
def test_a_grid_that_the_network_cannot_halve_is_refused(wrong):
    with pytest.raises(Problem, match="multiples of 8"):
        Grid(**wrong)


@pytest.mark.parametrize("step", [0.0, -2.0, math.nan, math.inf])
def test_a_spacing_that_is_no_length_is_refused(step):
    with pytest.raises(Problem, match="three positive lengths"):
        Grid(spacing_mm=(4.0, step, 2.0))


@pytest.mark.parametrize("size", [3, 7])
def test_box_mean_is_the_mean_over_a_cube(size):
    field = torch.rand(2, 8, 9, 10, generator=torch.Generator().manual_seed(0))
    smooth = box_mean(field, size)
    half = size // 2
    padded = torch.nn.functional.pad(field, [half] * 6)
    for z, y, x in ((0, 0, 0), (4, 4, 4), (7, 8, 9)):
        cube = padded[:, z : z + size, y : y + size, x : x + size]
        torch.testing.assert_close(smooth[:, z, y, x], cube.mean(dim=(1, 2, 3)))
