from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts import Cohort, Split, Study
from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.cohorts.nifti import (
    check_new,
    packed_prediction,
    write_cohort,
    write_prediction,
)
from cdseg_teach.cohorts.volumes import Scan, read_volume
from cdseg_teach.problems import Problem

LIKE = (30, 26, 22)


def rotation(degrees: float) -> np.ndarray:
    turn = np.deg2rad(degrees)
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return matrix


AFFINES = {
    "plain": np.diag([1.0, 1.0, 1.0, 1.0]),
    "flipped": np.diag([-1.0, -1.0, 1.0, 1.0]),
    "swapped": np.array([[0, 0, 1.0, 5], [-1.0, 0, 0, 3], [0, 1.0, 0, -9], [0, 0, 0, 1]]),
    "oblique": nib.affines.from_matvec(rotation(20) @ np.diag([1.0, 1.0, 1.5]), [4, -7, 2]),
}


def cohort(make_subject, role="source") -> Cohort:
    return Cohort(
        role,
        ("FLAIR", "GE"),
        ("lesion",),
        train=Split.of([make_subject(f"{role}-a"), make_subject(f"{role}-b")]),
        validation=Split.of([make_subject(f"{role}-c")]),
        test=Split.of([make_subject(f"sub-{role}-d")]),
        labels_for_training=role == "source",
    )


def write(folder, cohort) -> None:
    write_cohort(folder, cohort, provenance="made up", licence="CC0-1.0")


def test_what_is_written_is_read_back_exactly(tmp_path, make_subject):
    written = Study("toy", 0, cohort(make_subject), cohort(make_subject, "target"))
    write(tmp_path / "source", written.source)
    write(tmp_path / "target", written.target)
    assert check_cohort(tmp_path / "source") == []
    read = load_study(tmp_path / "source", tmp_path / "target")
    assert read.source.channels == ("FLAIR", "GE")
    assert read.source.names == ("sub-source-a", "sub-source-b", "sub-source-c", "sub-source-d")
    assert read.target.train[0].label is None
    assert read.notes == ()
    for one, other in (
        (written.source.train[1], read.source.train[1]),
        (written.target.test[0], read.target.test[0]),
    ):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.label, other.label)
        assert np.allclose(one.affine, other.affine)
        assert one.spacing_mm == other.spacing_mm


def test_the_card_says_where_the_images_come_from(tmp_path, make_subject):
    write(tmp_path / "out", cohort(make_subject))
    card = json.loads((tmp_path / "out" / "cohort.json").read_text())
    assert card["licence"] == "CC0-1.0"
    assert card["splits"]["test"] == ["sub-source-d"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, make_subject):
    (tmp_path / "mine.txt").write_text("dear")
    with pytest.raises(Problem, match="not empty"):
        write(tmp_path, cohort(make_subject))
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path, make_subject):
    (tmp_path / "new").mkdir()
    write(tmp_path / "new", cohort(make_subject))
    assert check_cohort(tmp_path / "new") == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_stops_leaves_nothing(tmp_path, make_subject, monkeypatch, error):
    def stop(*_):
        raise error

    monkeypatch.setattr(nib, "save", stop)
    kind, said = KeyboardInterrupt, None
    if isinstance(error, OSError):
        kind, said = Problem, r"new: cannot be written \(No space left on device\); make room or"
    with pytest.raises(kind, match=said):
        write(tmp_path / "new", cohort(make_subject))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path, make_subject):
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot be written"):
        write(tmp_path / "file" / "new", cohort(make_subject))
    with pytest.raises(Problem, match="cannot be written"):
        check_new(tmp_path / "file" / "new")


def test_a_place_that_is_looked_at_stays_as_it_is(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        check_new(tmp_path / name)
    with pytest.raises(Problem, match="not empty"):
        check_new(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    ("own", "said"), [("is_mount", "a disk is mounted; name a folder in it"), ("", "where you are")]
)
def test_a_folder_that_has_to_stay_is_not_replaced(tmp_path, make_subject, monkeypatch, own, said):
    """Where a disk is mounted, and where one stands: told at the start, and it stays."""
    here = tmp_path / "here"
    here.mkdir()
    number = here.stat().st_ino
    if own:
        monkeypatch.setattr(Path, own, lambda path: path == here)
    else:
        monkeypatch.chdir(here)
        here = Path(".")
    with pytest.raises(Problem, match=said):
        check_new(here)
    with pytest.raises(Problem, match=said):
        write(here, cohort(make_subject))
    assert (tmp_path / "here").stat().st_ino == number
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def named(make_subject, name: str, channel: str) -> Cohort:
    return Cohort(
        "odd", ("FLAIR", channel), ["lesion"], train=Split.of([make_subject(name)]),
        validation=Split((), tuple), test=Split((), tuple), labels_for_training=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["../up", "a/b", " a", "a ", "", ".a"])
def test_names_that_are_no_file_names(tmp_path, make_subject, name):
    with pytest.raises(Problem, match=f"subject '{name}' is no file name"):
        write(tmp_path / "new", named(make_subject, name, "T1"))
    with pytest.raises(Problem, match=f"channel '{name}' is no file name"):
        write(tmp_path / "new", named(make_subject, "a", name))


@pytest.mark.parametrize("channel", ["label", "Label", "T1_mask", "brainmask"])
def test_a_channel_that_would_be_read_as_a_mask(tmp_path, make_subject, channel):
    with pytest.raises(Problem, match=f"channel '{channel}' would be read as a mask"):
        write(tmp_path / "new", named(make_subject, "a", channel))


def test_a_name_may_have_blanks_within(tmp_path, make_subject):
    write(tmp_path / "new", named(make_subject, "Anna B. 7", "T1 post"))
    assert check_cohort(tmp_path / "new") == []
    assert (tmp_path / "new" / "sub-Anna B. 7" / "T1 post.nii.gz").is_file()


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_a_volume_keeps_its_place_in_space(tmp_path, affine):
    data = np.zeros(LIKE, np.float32)
    data[3, 4, 5] = 1
    nib.save(nib.Nifti1Image(data, affine), tmp_path / "a.nii.gz")
    volume = read_volume(Scan(tmp_path / "a.nii.gz"))
    where = np.argwhere(np.asarray(volume.dataobj) == 1)[0]
    there = nib.affines.apply_affine(affine, [3, 4, 5])
    assert np.allclose(nib.affines.apply_affine(volume.affine, where), there)
    assert nib.aff2axcodes(volume.affine) == ("R", "A", "S")


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_a_prediction_comes_back_on_the_scanner_s_own_grid(tmp_path, affine):
    """A ball is read onto the working grid, and its working label is written back where it was."""
    folder = tmp_path / "scans" / "patient0"
    folder.mkdir(parents=True)
    middle = (np.array(LIKE) - 1) / 2
    millimetres = (np.indices(LIKE).T - middle) @ affine[:3, :3].T
    distance = np.linalg.norm(millimetres, axis=-1).T
    ball = (distance < 8).astype(np.uint8)
    nib.save(nib.Nifti1Image((distance < 10) * 100.0 + ball, affine), folder / "FLAIR.nii.gz")
    nib.save(nib.Nifti1Image(ball, affine), folder / "gt.nii.gz")
    other = tmp_path / "scans" / "patient1"
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    study = load_study(
        tmp_path / "scans", tmp_path / "scans", source_subjects=["patient1"],
        spacing_mm=(1.0, 1.0, 1.0), plane=(32, 32),
    )  # fmt: skip
    subject = study.target.test[0]
    file = tmp_path / "prediction.nii.gz"
    write_prediction(file, subject.label, subject, like=folder / "FLAIR.nii.gz")
    back = nib.load(file)
    assert back.shape == LIKE
    assert np.allclose(back.affine, affine)
    assert back.get_data_dtype() == np.uint8
    again = np.asarray(back.dataobj)
    assert 2 * (again * ball).sum() / (again.sum() + ball.sum()) > 0.93
    assert list(tmp_path.glob(".part*")) == []
    assert gzip.decompress(packed_prediction(subject.label, subject)) == back.to_bytes()


def test_a_simulated_subject_is_its_own_scan(tmp_path, make_subject):
    subject = make_subject("a")
    write_prediction(tmp_path / "p.nii.gz", subject.label, subject)
    back = nib.load(tmp_path / "p.nii.gz")
    assert np.array_equal(np.asarray(back.dataobj).T, subject.label)
    assert np.array_equal(back.affine, subject.affine)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("more", [(), (3,)], ids=["3-D", "4-D"])
@pytest.mark.parametrize(("qform", "sform"), [(1, 1), (0, 4), (2, 0)])
def test_a_prediction_has_the_scan_s_own_header(tmp_path, make_subject, kind, more, qform, sform):
    subject = make_subject("a", shape=(3, 8, 16))
    scan = kind(np.ones((*LIKE, *more), np.int16), AFFINES["oblique"])
    scan.header.set_slope_inter(2.0, 5.0)
    scan.header["cal_max"] = 700
    scan.set_qform(scan.affine, qform)
    scan.set_sform(scan.affine, sform)
    scan.header.set_xyzt_units("mm", "sec")
    nib.save(scan, tmp_path / "scan.nii.gz")
    file = tmp_path / "p.nii.gz"
    write_prediction(file, subject.label, subject, like=tmp_path / "scan.nii.gz")
    back = nib.load(file)
    assert type(back) is kind
    assert back.shape == LIKE
    assert np.allclose(back.affine, scan.affine, atol=1e-4)
    codes = [int(back.header[name]) for name in ("qform_code", "sform_code")]
    assert codes == [qform, sform]
    assert back.header.get_xyzt_units()[0] == "mm"
    assert set(np.unique(np.asarray(back.dataobj))) <= {0, 1}
    assert float(back.header["cal_max"]) == 0


def test_a_prediction_of_another_shape_or_name_is_refused(tmp_path, make_subject):
    nib.save(nib.Nifti1Image(np.ones(LIKE, np.float32), np.eye(4)), tmp_path / "scan.nii.gz")
    subject = make_subject("a")
    like = tmp_path / "scan.nii.gz"
    with pytest.raises(Problem, match="predict this subject"):
        write_prediction(tmp_path / "p.nii.gz", subject.label[1:], subject, like=like)
    with pytest.raises(Problem, match="predict this subject"):
        packed_prediction(subject.label[1:], subject)
    with pytest.raises(Problem, match=r"end it in .nii.gz"):
        write_prediction(tmp_path / "p.png", subject.label, subject, like=like)
    with pytest.raises(Problem, match="cannot be written"):
        write_prediction(tmp_path / "no" / "p.nii.gz", subject.label, subject, like=like)
