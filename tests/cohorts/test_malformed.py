"""Two hundred cohorts with one thing wrong: a clear line each, or a valid image; never more."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.cohorts.report import overview
from cdseg_teach.cohorts.volumes import MAX_VOXELS, Scan, read_volume
from cdseg_teach.problems import Problem

SHAPE = (12, 14, 10)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
Spoil = Callable[[Path], None]


def write(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True)
    body = np.zeros(SHAPE, np.float32)
    body[2:10, 2:12, 2:8] = np.random.default_rng(seed).uniform(1, 2, (8, 10, 6))
    mask = np.zeros(SHAPE, np.uint8)
    mask[4:7, 4:7, 3:6] = 1
    nib.save(nib.Nifti1Image(body, AFFINE), folder / "FLAIR.nii.gz")
    nib.save(nib.Nifti1Image(mask, AFFINE), folder / "label.nii.gz")


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    for number in range(3):
        write(tmp_path / "cohort" / f"p{number}", number)
    return tmp_path / "cohort"


def raw(file: Path) -> bytearray:
    return bytearray(gzip.decompress(file.read_bytes()))


def put(file: Path, content: bytes) -> None:
    file.write_bytes(gzip.compress(bytes(content), compresslevel=1, mtime=0))


def cut_header(length: int) -> Spoil:
    def spoil(file: Path) -> None:
        put(file, raw(file)[:length])

    return spoil


def cut_file(share: float) -> Spoil:
    def spoil(file: Path) -> None:
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])

    return spoil


def flip(seed: int) -> Spoil:
    """One bit anywhere in the header or the voxels."""

    def spoil(file: Path) -> None:
        content = raw(file)
        bit = int(np.random.default_rng(seed).integers(8 * len(content)))
        content[bit // 8] ^= 1 << bit % 8
        put(file, content)

    return spoil


def field(offset: int, form: str, *values: float) -> Spoil:
    def spoil(file: Path) -> None:
        content = raw(file)
        struct.pack_into(form, content, offset, *values)
        put(file, content)

    return spoil


def voxels(change: Callable[[np.ndarray], np.ndarray], dtype: type = np.float32) -> Spoil:
    def spoil(file: Path) -> None:
        image = nib.load(file)
        data = change(np.asarray(image.dataobj).astype(dtype))
        nib.save(nib.Nifti1Image(data, image.affine), file)

    return spoil


def one(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(data: np.ndarray) -> np.ndarray:
        data[5, 5, 5] = value
        return data

    return change


def affine(*changes: tuple[int, int, float]) -> Spoil:
    def spoil(file: Path) -> None:
        image = nib.load(file)
        matrix = image.affine.copy()
        for row, column, value in changes:
            matrix[row, column] = value
        content = raw(file)
        struct.pack_into("<12f", content, 280, *matrix[:3].ravel())
        struct.pack_into("<2h", content, 252, 0, 1)
        put(file, content)

    return spoil


def replaced(content: bytes) -> Spoil:
    return lambda file: (file.write_bytes(content), None)[1]


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pipe_instead(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def gone(file: Path) -> None:
    file.unlink()


def claim(*dims: int, count: int | None = None) -> Spoil:
    """Axes that a header claims, whatever follows it."""
    rest = (1,) * (7 - len(dims))
    return field(40, "<8h", len(dims) if count is None else count, *dims, *rest)


def of_nifti2(spoil: Spoil) -> Spoil:
    """The same file in the second version of the format, then spoilt."""

    def both(file: Path) -> None:
        image = nib.load(file)
        nib.save(nib.Nifti2Image(np.asarray(image.dataobj), image.affine), file)
        spoil(file)

    return both


def claim2(*dims: int) -> Spoil:
    rest = (1,) * (7 - len(dims))
    return of_nifti2(field(16, "<8q", len(dims), *dims, *rest))


NAN, INF = float("nan"), float("inf")
# Of a header of NIfTI-1: where each field begins, https://nifti.nimh.nih.gov/nifti-1.
FIELDS = [0, 4, 14, 32, 36, 38, 39, 40, 56, 68, 70, 72, 74, 76, 108, 112, 116, 120, 122, 123, 124]
FIELDS += [128, 132, 136, 140, 144, 148, 228, 252, 254, 256, 268, 280, 296, 312, 328, 344, 348]
SPOILT: dict[str, Spoil] = {
    **{f"header cut at {length}": cut_header(length) for length in FIELDS},
    **{f"file cut at {share:.2f}": cut_file(share) for share in np.linspace(0, 0.97, 12)},
    **{f"bit {seed}": flip(seed) for seed in range(70)},
    **{
        f"dim {k} = {n}": field(40 + 2 * k, "<h", n) for k in range(4) for n in (-1, 0, 2, 9, 32767)
    },
    "5-D": field(40, "<8h", 5, *SHAPE, 1, 2, 1, 1),
    "6-D": voxels(lambda data: data.reshape((*SHAPE, 1, 1, 1))),
    "4-D": voxels(lambda data: np.stack([data, data], -1)),
    "2-D": voxels(lambda data: data[..., 0]),
    **{
        f"datatype {code}": field(70, "<h", code) for code in (0, 1, 32, 128, 1536, 1792, 2304, 999)
    },
    **{f"bitpix {bits}": field(72, "<h", bits) for bits in (0, 1, 8, 64, -32)},
    **{f"offset {at}": field(108, "<f", at) for at in (-1, 0, 100, 1e9, NAN, INF)},
    **{f"slope {slope}": field(112, "<2f", slope, 0) for slope in (NAN, INF, 1e38, -1)},
    **{f"intercept {inter}": field(116, "<f", inter) for inter in (NAN, INF, 1e38)},
    **{f"voxel {value}": voxels(one(value)) for value in (NAN, INF, -INF, 1e38, -1e38)},
    "complex": voxels(lambda data: data + 1j, np.complex64),
    "float64": voxels(lambda data: data, np.float64),
    "all nan": voxels(lambda data: data * NAN),
    "constant": voxels(lambda data: 0 * data + 3),
    "zero": voxels(lambda data: 0 * data),
    **{f"affine {v}": affine((0, 0, v)) for v in (0, NAN, INF, 1e-9, 1e9, -2)},
    "affine of zeros": affine(*((i, j, 0.0) for i in range(3) for j in range(3))),
    "affine flat": affine((1, 0, 2.0), (1, 1, 0.0)),
    "affine shifted": affine((0, 3, 15.0)),
    "spacing 0": lambda file: (field(80, "<3f", 0, 0, 0)(file), field(252, "<2h", 0, 0)(file))[0],
    "empty": replaced(b""),
    "text": replaced(b"<html>404 Not Found</html>"),
    "not gzip": lambda file: file.write_bytes(raw(file)) and None,
    "a png": replaced(b"\x89PNG\r\n\x1a\n" + bytes(400)),
    "a zip": replaced(b"PK\x03\x04" + bytes(400)),
    "gzip of nothing": replaced(gzip.compress(b"", mtime=0)),
    "link in a circle": link_to_itself,
    "a folder": folder_instead,
    "a pipe": pipe_instead,
}
# The fourth axis lies, alone or with others.
LIES: dict[str, Spoil] = {
    **{f"dim 4 = {n}": claim(*SHAPE, n) for n in (-1, 0, 2, 500, 501, 32767)},
    "dim 4 and 5": claim(*SHAPE, 32767, 32767),
    "dims 1 to 4": claim(32767, 32767, 32767, 32767),
    "dims 1 to 7": claim(*(32767,) * 7),
    "thin volumes": claim(1, 1, 1, 32767),
    "thin and many": claim(1, 1, 32767, 32767),
    "8 axes": claim(*SHAPE, 2, count=8),
    **{f"version 2, dim 4 = {n}": claim2(*SHAPE, n) for n in (-1, 0, 2, 501, 10**8, 2**62)},
    "version 2, dim 1 = 2^62": claim2(2**62, 14, 10),
    "version 2, thin volumes": claim2(1, 1, 1, 10**8),
    "version 2, all": claim2(*(2**62,) * 7),
    "version 2, no axes": of_nifti2(field(16, "<q", 0)),
    **{f"version 2, bit {seed}": of_nifti2(flip(seed)) for seed in range(20)},
    **{f"version 2, cut at {n}": of_nifti2(cut_header(n)) for n in (4, 16, 80, 168, 540, 544)},
    "version 2, offset": of_nifti2(field(168, "<q", 2**62)),
    "version 2, datatype": of_nifti2(field(12, "<h", 999)),
}
SPOILT |= LIES
LABELS: dict[str, Spoil] = {
    "label half": voxels(lambda data: data / 2),
    "label negative": voxels(lambda data: -data),
    "label 2": voxels(lambda data: 2 * data),
    "label 300": voxels(lambda data: 300 * data),
    "label of another shape": voxels(lambda data: data[:-1]),
    "label shifted": affine((2, 3, 8.0)),
    "label smooth": voxels(lambda data: data + 1e-3),
    "label nan": voxels(one(NAN)),
    "no label": gone,
}


def state(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(folder.parent.rglob("*"))}


def consider(cohort: Path) -> list[str]:
    """What is said: by the checker, or by loading; a valid image where nothing is."""
    before = state(cohort)
    said = [str(problem) for problem in check_cohort(cohort)]
    try:
        study = load_study(cohort, cohort, source_subjects=["p0", "p1"], structures=["lesion"])
        splits = [split for side in (study.source, study.target) for split in side.splits.values()]
        for subject in (subject for split in splits for subject in split.subjects):
            assert np.isfinite(subject.image).all()
    except Problem as problem:
        said.append(str(problem))
    assert all("\n" not in line for line in said)
    assert state(cohort) == before
    return said


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_channel_is_a_line_or_a_valid_image(cohort, name):
    SPOILT[name](cohort / "p1" / "FLAIR.nii.gz")
    said = consider(cohort)
    may_pass = (
        "bit ",
        "version 2, bit ",
        "header cut at 348",
        "offset ",
        "bitpix",
        "slope",
        "intercept",
        "voxel ",
    )
    if not said:
        assert name.startswith((*may_pass, "6-D", "float64", "affine", "dim", "datatype"))
    else:
        assert any("p1" in line for line in said)


@pytest.mark.parametrize("name", [name for name in LIES if "bit " not in name])
def test_a_header_that_lies_costs_one_line_and_little_memory(cohort, name):
    LIES[name](cohort / "p1" / "FLAIR.nii.gz")
    tracemalloc.start()
    try:
        (line,) = map(str, check_cohort(cohort))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert line.startswith("p1/FLAIR.nii.gz: ")
    assert peak < 0.01e9


def test_a_time_series_is_one_line(cohort):
    voxels(lambda data: np.repeat(data[..., None], 501, -1))(cohort / "p1" / "FLAIR.nii.gz")
    (line,) = map(str, check_cohort(cohort))
    assert line.startswith("p1/FLAIR.nii.gz: has 501 volumes, more than 500; ")


@pytest.mark.parametrize("name", LABELS)
def test_a_spoilt_label_is_a_line_that_names_it(cohort, name):
    LABELS[name](cohort / "p1" / "label.nii.gz")
    assert any("p1/label.nii.gz" in line for line in consider(cohort))


def test_one_person_twice(cohort):
    shutil.copytree(cohort / "p1", cohort / "p9")
    assert any("is a copy of p1/FLAIR.nii.gz" in line for line in consider(cohort))


@pytest.mark.parametrize("name", ["Größe 1", "a b", "名前", "p1 (copy)", "p'1", "-p1"])
def test_any_folder_s_name_will_do(cohort, name):
    (cohort / "p2").rename(cohort / name)
    assert consider(cohort) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_what_may_not_be_read(cohort):
    (cohort / "p1" / "FLAIR.nii.gz").chmod(0)
    assert any("p1/FLAIR.nii.gz" in line for line in consider(cohort))


def test_sound_cohorts_pass(cohort):
    assert consider(cohort) == []


def test_memory_holds_two_copies_of_a_volume_at_most(cohort):
    shape = (160, 160, 160)
    draw = np.random.default_rng(0)
    body, mask = draw.uniform(1, 2, shape), draw.integers(0, 2, shape)
    nib.save(nib.Nifti1Image(body.astype(np.float32), AFFINE), cohort / "p1" / "FLAIR.nii.gz")
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), AFFINE), cohort / "p1" / "label.nii.gz")
    tracemalloc.start()
    try:
        assert check_cohort(cohort) == []
        assert len(overview(cohort)) == 3  # which `data check` prints then
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.2 * body.size * 4
    assert 2.2 * MAX_VOXELS * 4 < 0.8e9  # beside which torch has its 0.2


def test_there_are_two_hundred():
    assert len(SPOILT) + len(LABELS) >= 200


def test_a_scale_in_the_header_costs_no_third_copy(tmp_path):
    """Hounsfield units are stored with an intercept: nibabel alone would hold them as float64."""
    stored = np.random.default_rng(0).integers(0, 4000, (160, 160, 160)).astype(np.int16)
    image = nib.Nifti1Image(stored, AFFINE)
    image.header.set_slope_inter(0.5, -1024)
    nib.save(image, tmp_path / "CT.nii.gz")
    tracemalloc.start()
    try:
        volume = read_volume(Scan(tmp_path / "CT.nii.gz"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(np.asarray(volume.dataobj), stored * 0.5 - 1024)
    assert peak < 2.2 * stored.size * 4
