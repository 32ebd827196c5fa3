from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts.report import millilitres, overview
from cdseg_teach.problems import Problem


def test_a_line_a_subject(scans):
    (scans / "patient2" / "gt.nii.gz").unlink()
    table = overview(scans)
    assert list(table.index) == ["patient0", "patient1", "patient2"]
    assert list(table["label (ml)"]) == ["1.7", "1.7", "-"]  # 6 x 6 x 6 voxels of 8 mm3
    first = table.loc["patient0"]
    assert list(first)[:4] == ["FLAIR, T2", "20 × 24 × 16", "2 × 2 × 2", "RAS"]


def test_axes_and_spacing_are_the_file_s(tmp_path):
    affine = np.array([[0, 0, 0.5, 0], [-0.75, 0, 0, 0], [0, -3.125, 0, 0], [0, 0, 0, 1]])
    (tmp_path / "a").mkdir()
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6, 2), np.float32), affine), tmp_path / "a" / "s.nii")
    line = overview(tmp_path).loc["a"]
    assert list(line) == ["s-0, s-1", "4 × 5 × 6", "0.75 × 3.12 × 0.5", "PIR", "-"]


def test_a_broken_volume_is_named(scans):
    (scans / "patient1" / "FLAIR.nii.gz").write_bytes(b"no")
    with pytest.raises(Problem, match=r"patient1/FLAIR\.nii\.gz: cannot be opened"):
        overview(scans)


def test_a_sheared_voxel_has_the_volume_of_its_parallelepiped():
    affine = np.array([[1, 0.5, 0, 9], [0, 2, 0, 0], [0, 0, -3, 0], [0, 0, 0, 1]])
    assert millilitres(np.array([[[0, 3, 1]]]), affine) == pytest.approx(2 * 6 / 1000)
