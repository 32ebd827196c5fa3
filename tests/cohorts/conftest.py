from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts import Subject

MakeSubject = Callable[..., Subject]


@pytest.fixture
def make_subject() -> MakeSubject:
    """A tiny subject whose voxels are random but the same for the same name."""

    def make(name: str, channels: int = 2, shape: tuple[int, int, int] = (3, 8, 16)) -> Subject:
        draw = np.random.default_rng([ord(letter) for letter in name])
        return Subject(
            name=name,
            image=draw.standard_normal((channels, *shape)).astype(np.float32),
            label=draw.integers(0, 2, shape, dtype=np.uint8),
            spacing_mm=(4.0, 2.0, 2.0),
            affine=np.array([[2.0, 0, 0, -20], [0, 2.0, 0, -30.5], [0, 0, 4.0, 7], [0, 0, 0, 1]]),
        )

    return make


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder as it comes from elsewhere: three patients, FLAIR and T2 and a mask called gt."""
    return write_patients(tmp_path / "scans", [f"patient{number}" for number in range(3)])


@pytest.fixture
def many_scans(tmp_path: Path) -> Path:
    """Eleven such patients, called as in BIDS."""
    return write_patients(tmp_path / "many", [f"sub-{number:02d}" for number in range(11)])


def write_patients(folder: Path, names: list[str]) -> Path:
    for seed, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        write_patient(folder / name, seed=seed)
    return folder


def write_patient(folder: Path, *, seed: int) -> None:
    draw = np.random.default_rng(seed)
    body = np.zeros((20, 24, 16), np.float32)
    body[4:16, 4:20, 2:14] = draw.uniform(50, 150, (12, 16, 12))
    lesion = np.zeros(body.shape, np.uint8)
    lesion[6:12, 6:12, 4:10] = 1
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    nib.save(nib.Nifti1Image(body, affine), folder / "FLAIR.nii.gz")
    nib.save(nib.Nifti1Image(200 - body * (body > 0), affine), folder / "T2.nii.gz")
    nib.save(nib.Nifti1Image(lesion, affine), folder / "gt.nii.gz")
