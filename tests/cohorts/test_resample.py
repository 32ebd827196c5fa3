from __future__ import annotations

import nibabel as nib
import numpy as np

from cdseg_teach.cohorts.resample import by_area, grid_around, labels_by_area, nearest


def test_twice_as_large_voxels_hold_the_mean_of_eight():
    data = np.random.default_rng(0).random((8, 6, 4)).astype(np.float32)
    affine = np.eye(4)
    coarse = np.diag([2.0, 2.0, 2.0, 1.0])
    coarse[:3, 3] = 0.5
    got = by_area(nib.Nifti1Image(data, affine), ((4, 3, 2), coarse))
    wanted = data.reshape(4, 2, 3, 2, 2, 2).mean(axis=(1, 3, 5))
    assert np.allclose(got, wanted, atol=1e-6)


def test_the_same_grid_changes_nothing():
    data = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    image = nib.Nifti1Image(data, np.diag([2.0, 3.0, 1.0, 1.0]))
    assert np.allclose(by_area(image, (data.shape, image.affine)), data)
    assert np.array_equal(nearest(image, (data.shape, image.affine)), data)


def test_a_voxel_belongs_to_what_covers_most_of_it():
    values = np.zeros((4, 2, 2), np.float32)
    values[0] = 1  # half of the first coarse voxel is 1, half background
    values[2:] = 2
    values[2, 0, 0] = 1
    coarse = np.diag([2.0, 2.0, 2.0, 1.0])
    coarse[:3, 3] = 0.5
    got = labels_by_area(nib.Nifti1Image(values, np.eye(4)), 2, ((2, 1, 1), coarse))
    assert got.ravel().tolist() == [0, 2]
    assert got.dtype == np.uint8


def test_the_grid_is_centred_on_the_foreground_and_covers_its_slices():
    foreground = np.zeros((30, 30, 30), bool)
    foreground[10:14, 12:20, 5:25] = True
    affine = nib.affines.from_matvec(np.eye(3), [100.0, -50.0, 7.0])
    shape, grid = grid_around(foreground, affine, (4.0, 2.0, 2.0), (16, 24))
    assert shape == (24, 16, 5)
    middle = nib.affines.apply_affine(grid, (np.array(shape) - 1) / 2)
    assert np.allclose(middle, nib.affines.apply_affine(affine, [11.5, 15.5, 14.5]))
    assert np.allclose(nib.affines.voxel_sizes(grid), [2, 2, 4])


def test_what_lies_outside_the_scan_takes_the_background():
    image = nib.Nifti1Image(np.full((4, 4, 4), 50.0, np.float32), np.eye(4))
    far = nib.affines.from_matvec(np.eye(3), [100.0, 0, 0])
    assert (by_area(image, ((2, 2, 2), far), outside=-1000.0) == -1000).all()
