from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts.convert import Conversion, read_subject
from cdseg_teach.cohorts.layout import SubjectFiles
from cdseg_teach.cohorts.volumes import Scan
from cdseg_teach.problems import Problem

SHAPE = (48, 40, 24)
BODY = np.zeros(SHAPE, bool)
BODY[12:36, 10:30, 4:20] = True


def read(tmp_path, volume: np.ndarray):
    nib.save(nib.Nifti1Image(volume.astype(np.float32), np.eye(4)), tmp_path / "a.nii")
    files = SubjectFiles("a", {"a": Scan(tmp_path / "a.nii")}, None)
    whole = Conversion(("a",), ("lesion",), spacing_mm=(1.0, 1.0, 1.0), plane=(40, 48))
    return read_subject(files, whole, name="a")


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize(
    ("body", "air", "noise"),
    [(400.0, 0.0, 12.0), (400.0, 0.0, 3.0), (40.0, -1000.0, 15.0), (40.0, -1000.0, 5.0)],
    ids=["MR", "quiet MR", "CT", "quiet CT"],
)
def test_noise_around_a_body_does_not_count_as_body(tmp_path, body, air, noise, rounded):
    draw = np.random.default_rng(0)
    volume = np.where(BODY, body + draw.normal(0, 30, SHAPE), air)
    volume = volume + draw.normal(0, noise, SHAPE)
    volume = np.abs(volume) if air == 0 else volume
    image = read(tmp_path, volume.round() if rounded else volume).image[0]
    inside = BODY.T[4:20] if image.shape[0] == 16 else BODY.T
    assert (image[~inside] == 0).mean() > 0.99
    assert abs(image[inside].mean()) < 0.1
    assert image[inside].std() == pytest.approx(1, abs=0.2)


def test_a_constant_around_a_body_is_left_out_whatever_the_body_is(tmp_path):
    draw = np.random.default_rng(0)
    volume = np.where(BODY, draw.choice([5.0, 900.0], SHAPE), 0.0)  # Otsu would halve this body
    image = read(tmp_path, volume).image[0]
    assert image.shape[0] == 16
    assert (image[BODY.T[4:20]] != 0).all()


def test_a_volume_that_is_alike_but_for_its_corners_is_read(tmp_path):
    volume = np.full(SHAPE, 100.0)
    volume[np.ix_([0, -1], [0, -1], [0, -1])] = 200
    assert np.isfinite(read(tmp_path, volume).image).all()


def test_a_mask_beyond_the_plane_is_told(tmp_path):
    head = np.zeros((20, 130, 20), np.float32)
    head[2:18, 2:128, 2:18] = np.random.default_rng(0).uniform(1, 2, (16, 126, 16))
    mask = np.zeros(head.shape, np.uint8)
    mask[8:12, 120:126, 8:12] = 1
    for name, data in (("a", head), ("label", mask)):
        nib.save(nib.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0])), tmp_path / f"{name}.nii")
    scans = (Scan(tmp_path / "a.nii"), Scan(tmp_path / "label.nii"))
    files = SubjectFiles("a", {"a": scans[0]}, scans[1])
    with pytest.raises(Problem, match=r"label\.nii: 100 % of what it marks is beyond the grid"):
        read_subject(files, Conversion(("a",), ("lesion",)), name="a")
    large = Conversion(("a",), ("lesion",), plane=(136, 96))
    assert read_subject(files, large, name="a").label.any()


def test_a_body_that_is_cut_out_may_reach_the_first_and_the_last_slice(tmp_path):
    """As a brain does on a grid of few slices; within it, 0 is a value like others."""
    draw = np.random.default_rng(0)
    volume = np.where(BODY.any(axis=2)[..., None], draw.normal(0, 1, SHAPE), 0.0)
    image = read(tmp_path, volume).image[0]
    inside = np.broadcast_to(BODY.any(axis=2).T, image.shape)
    assert (image[~inside] == 0).all()
    assert (image[inside] != 0).mean() > 0.99
