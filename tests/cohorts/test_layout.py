from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts import layout
from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.cohorts.convert import Conversion, read_subject
from cdseg_teach.cohorts.layout import find_subjects, survey, unread
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.cohorts.volumes import Scan, count_volumes, read_channel
from cdseg_teach.problems import Problem

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def write(file: Path, data: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, AFFINE), file)


def body(seed: int, *more: int) -> np.ndarray:
    data = np.zeros((12, 14, 10, *more), np.float32)
    data[2:10, 2:12, 2:8] = np.random.default_rng(seed).uniform(1, 2, (8, 10, 6, *more))
    return data


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(folder: Path) -> dict[str, tuple[list[str], str | None]]:
    return {
        subject.name: (list(subject.channels), subject.label and subject.label.file.name)
        for subject in find_subjects(folder)
    }


@pytest.mark.parametrize(
    "place",
    ["{0}", "sub-01/{0}", "sub-01/anat/{0}", "sub-01/ses-a/anat/{0}", "sub-01/ses-a/{0}"],
    ids=["flat", "subject", "anat", "session", "session without anat"],
)
@pytest.mark.parametrize("mask", ["dseg", "mask", "label-lesion_mask", "space-orig_dseg"])
def test_the_names_of_bids(tmp_path, place, mask):
    begin = "sub-01_ses-a_" if "ses" in place else "sub-01_"
    names = [f"{begin}{end}.nii.gz" for end in ("FLAIR", "T2w", mask)]
    touch(tmp_path, *(place.format(name) for name in names))
    assert found(tmp_path) == {"sub-01": (["FLAIR", "T2w"], names[-1])}


def test_masks_under_derivatives_are_found_and_other_volumes_there_are_not(tmp_path):
    derived = "derivatives/manual_masks/sub-01/anat/sub-01_label-lesion_mask.nii.gz"
    processed = "derivatives/tool/sub-01/anat/sub-01_desc-preproc_FLAIR.nii.gz"
    touch(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz", derived, processed)
    assert found(tmp_path) == {"sub-01": (["FLAIR"], Path(derived).name)}


def test_a_mask_beside_the_images_comes_before_a_derived_one(tmp_path):
    touch(tmp_path, "sub-01/sub-01_FLAIR.nii.gz", "sub-01/sub-01_mask.nii.gz")
    touch(tmp_path, "derivatives/a/sub-01_mask.nii.gz")
    (subject,) = find_subjects(tmp_path)
    assert subject.label == Scan(tmp_path / "sub-01" / "sub-01_mask.nii.gz")


@pytest.mark.parametrize("place", ["sub-01/anat", "derivatives/fmriprep/sub-01/anat"])
@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (("dseg", "desc-brain_mask"), "dseg"),
        (("dseg", "mask"), "dseg"),  # which says no more than that something is masked
        (("dseg", "label-lesion_mask", "desc-brain_mask"), "label-lesion_mask"),
        (("dseg", "space-MNI_dseg", "label-WMH_desc-1_mask"), "label-WMH_desc-1_mask"),
        (("label", "gt", "consensus_gt", "dseg", "mask"), "label"),
        (("gt", "consensus_gt", "dseg"), "gt"),
    ],
)
def test_which_of_several_masks_counts(tmp_path, place, names, counts):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    touch(tmp_path, *(f"{place}/sub-01_{name}.nii.gz" for name in names))
    assert found(tmp_path) == {"sub-01": (["T1w"], f"sub-01_{counts}.nii.gz")}


def test_two_derived_masks_are_one_too_many(tmp_path):
    touch(tmp_path, "sub-01/sub-01_FLAIR.nii.gz")
    touch(tmp_path, *(f"derivatives/rater{r}/sub-01_mask.nii.gz" for r in (2, 1)))
    with pytest.raises(Problem, match="are both mask; keep one"):
        find_subjects(tmp_path)


def test_derivatives_are_nobody(tmp_path):
    touch(tmp_path, "sub-01_FLAIR.nii.gz", "derivatives/sub-01_dseg.nii.gz")
    assert found(tmp_path) == {"sub-01": (["FLAIR"], "sub-01_dseg.nii.gz")}


def test_somebody_else_s_file_is_told(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-02_FLAIR.nii.gz")
    with pytest.raises(Problem, match=r"sub-01: holds sub-02_FLAIR\.nii\.gz, of sub-02"):
        find_subjects(tmp_path)


@pytest.mark.parametrize("name", ["brainmask", "brain_mask", "sub-01_desc-brain_mask"])
def test_a_brain_mask_is_neither_a_label_nor_a_channel(tmp_path, name):
    touch(tmp_path, "sub-01/FLAIR.nii.gz", f"sub-01/{name}.nii.gz")
    assert found(tmp_path) == {"sub-01": (["FLAIR"], None)}


@pytest.mark.parametrize(
    "names",
    [
        ("sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz", "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz"),
        ("sub-01/ses-a/anat/T1w.nii.gz", "sub-01/ses-b/T1w.nii.gz"),
        ("sub-01_ses-a_FLAIR.nii.gz", "sub-01_ses-b_T2.nii.gz"),
        ("sub-01/sub-01_ses-a_FLAIR.nii.gz", "sub-01/sub-01_ses-b_mask.nii.gz"),
    ],
)
def test_two_sessions_are_one_too_many(tmp_path, names):
    folder = tmp_path / "ses-c" / "cohort"  # where the cohort lies says nothing of sessions
    touch(folder, *names)
    subjects, (problem,) = survey(folder)
    assert str(problem) == "sub-01: has sessions ses-a, ses-b; keep one"
    assert [scan.file for scan in subjects[0].channels.values()] == [folder / names[0]]
    assert [scan.file for scan in subjects[0].spare] == [folder / names[1]]


@pytest.mark.parametrize(
    "names", [("FLAIR.nii", "FLAIR.nii.gz"), ("sub-1_ses-a_FLAIR.nii", "FLAIR.nii")]
)
def test_two_files_of_one_channel_are_one_too_many(tmp_path, names):
    touch(tmp_path, *(f"sub-1/{name}" for name in names))
    with pytest.raises(Problem, match="are both FLAIR; keep one"):
        find_subjects(tmp_path)


def test_all_of_it_is_found_at_once_and_the_first_of_rivals_counts(tmp_path):
    touch(tmp_path, "sub-1/FLAIR.nii", "sub-1/FLAIR.nii.gz", "sub-1/sub-2_T2.nii")
    touch(tmp_path, *(f"sub-2/ses-{s}/anat/sub-2_ses-{s}_T1w.nii.gz" for s in "ab"))
    touch(tmp_path, *(f"derivatives/rater/sub-2_ses-{s}_mask.nii.gz" for s in "ab"))
    touch(tmp_path, "sub-3/anat/sub-3_FLAIR.nii", "sub-3_FLAIR.nii")
    subjects, problems = survey(tmp_path)
    assert [str(problem) for problem in problems] == [
        "sub-1: holds sub-2_T2.nii, of sub-2; move it to where it belongs",
        "sub-1/FLAIR.nii, sub-1/FLAIR.nii.gz: are both FLAIR; keep one",
        "sub-2: has sessions ses-a, ses-b; keep one",
        "sub-3/anat/sub-3_FLAIR.nii, sub-3_FLAIR.nii: are both FLAIR; keep one",
    ]
    first, second, third = subjects
    assert [scan.file.name for scan in first.channels.values()] == ["FLAIR.nii"]
    assert [scan.file.name for scan in first.spare] == ["sub-2_T2.nii", "FLAIR.nii.gz"]
    assert second.channels["T1w"].file.name == "sub-2_ses-a_T1w.nii.gz"
    assert second.label.file.name == "sub-2_ses-a_mask.nii.gz"
    assert third.channels["FLAIR"].file.parent.name == "anat"
    with pytest.raises(Problem, match=r"of sub-2; .* \(and 3 more: cdseg-teach data check"):
        find_subjects(tmp_path)


def test_a_subject_that_cannot_be_read_does_not_hide_the_others(tmp_path, monkeypatch):
    touch(tmp_path, "p1/FLAIR.nii", "p2/FLAIR.nii", "p3/FLAIR.nii")
    read = layout._volumes_in

    def refuse(folder: Path) -> list[Path]:
        if folder.name == "p2":
            raise PermissionError(13, "Permission denied")
        return read(folder)

    monkeypatch.setattr(layout, "_volumes_in", refuse)
    subjects, (problem,) = survey(tmp_path)
    assert [subject.name for subject in subjects] == ["p1", "p3"]
    assert str(problem).startswith("p2: cannot be read (Permission denied); ")


def test_endings_in_upper_case_are_read(tmp_path):
    write(tmp_path / "p" / "FLAIR.nii.gz", body(0))
    (tmp_path / "p" / "FLAIR.nii.gz").rename(tmp_path / "p" / "FLAIR.NII.GZ")
    write(tmp_path / "p" / "T2.nii", body(1))
    (tmp_path / "p" / "T2.nii").rename(tmp_path / "p" / "T2.NII")
    write(tmp_path / "p" / "gt.nii", (body(0) > 1.5).astype(np.uint8))
    (tmp_path / "p" / "gt.nii").rename(tmp_path / "p" / "gt.NII")
    assert found(tmp_path) == {"p": (["FLAIR", "T2"], "gt.NII")}
    assert check_cohort(tmp_path) == []


def test_names_with_spaces_and_other_letters(tmp_path):
    touch(tmp_path, "Patient Ä 1/T2 größer.nii.gz", "Patient Ä 1/label.nii.gz")
    assert found(tmp_path) == {"Patient Ä 1": (["T2 größer"], "label.nii.gz")}


def test_links_that_lead_in_a_circle_end(tmp_path):
    touch(tmp_path, "sub-01/FLAIR.nii.gz")
    for link, to in (("sub-01/anat", ".."), ("sub-02", "sub-02"), ("derivatives", ".")):
        (tmp_path / link).symlink_to(to, target_is_directory=True)
    assert found(tmp_path) == {"sub-01": (["FLAIR"], None)}


def test_masks_behind_links_are_found_once(tmp_path):
    touch(tmp_path, "cohort/sub-01/FLAIR.nii.gz", "elsewhere/sub-01/sub-01_dseg.nii.gz")
    (tmp_path / "elsewhere" / "again").symlink_to(".", target_is_directory=True)
    derived = tmp_path / "cohort" / "derivatives"
    derived.mkdir()
    for link in ("manual", "the_same"):
        (derived / link).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (subject,) = find_subjects(tmp_path / "cohort")
    assert subject.label == Scan(derived / "manual" / "sub-01" / "sub-01_dseg.nii.gz")


def put_dicom(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(128) + b"DICM" + bytes(100))


@pytest.mark.parametrize("name", ["0001.dcm", "0001.DCM", "IM_0001"])
@pytest.mark.parametrize("subject", ["patient", "sub-02"])
@pytest.mark.parametrize("alone", [True, False])
def test_dicom_is_told_how_it_becomes_nifti(tmp_path, name, subject, alone):
    put_dicom(tmp_path / subject / "series" / name)
    if not alone:
        touch(tmp_path, "sub-01/FLAIR.nii")
    _, (problem,) = survey(tmp_path)
    assert "convert its DICOM files, as with dcm2niix " in str(problem)
    assert alone or str(problem).startswith(f"{subject}: has no channel; ")


def test_few_files_are_opened_to_look_for_dicom(tmp_path):
    touch(tmp_path, *(f"notes/{number:04}" for number in range(200)))
    put_dicom(tmp_path / "notes" / "zzz")
    os.mkfifo(tmp_path / "notes" / "0000 pipe")
    with pytest.raises(Problem, match="no subject in it; put volumes into "):
        find_subjects(tmp_path)


def test_what_looks_like_a_volume_and_is_not_read_is_a_line(tmp_path):
    touch(tmp_path, *(f"p1/{name}" for name in ("T1.nii", "T2.img", "T2.hdr", "gt.nrrd", "PD.Nii")))
    touch(tmp_path, "p2/T1.nii", "p2/pre/FLAIR.nii.gz", "p2/pre/T2.nii.gz", "p2/mri/orig.mgz")
    touch(tmp_path, "p9_FLAIR.nii.gz", "p9_T1.nii.gz", "sub-01.mgz", "site/p3/T1.nii")
    found, problems = survey(tmp_path)
    assert ([subject.name for subject in found], problems) == (["p1", "p2"], [])
    assert [str(problem) for problem in unread(tmp_path)] == [
        "p9_FLAIR.nii.gz and 1 more: is nobody's by its name; move it to "
        "<subject>/<channel>.nii.gz",
        "sub-01.mgz: is no NIfTI file that is read; save it as .nii.gz",
        "p1/PD.Nii and 2 more: is no NIfTI file that is read; save it as .nii.gz",
        "p2/mri/orig.mgz: is no NIfTI file that is read; save it as .nii.gz",
        "p2/pre/FLAIR.nii.gz and 1 more: lies where none is read; "
        "move it to <subject>/, or out of the cohort",
        "site/p3/T1.nii: lies where none is read; move it to <subject>/, or out of the cohort",
    ]


def test_what_else_a_folder_of_bids_holds_is_no_fault(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/dwi/sub-01_dwi.nii.gz")
    touch(tmp_path, "sub-01/ses-a/func/sub-01_ses-a_bold.nii.gz", "sub-01/.cache/a.nii.gz")
    touch(tmp_path, "derivatives/fmriprep/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")
    put_dicom(tmp_path / "sourcedata" / "sub-01" / "0001.dcm")
    touch(tmp_path, "code/template.nii.gz", "docs/notes.txt", "participants.tsv", "._a.nii.gz")
    assert found(tmp_path) == {"sub-01": (["T1w"], None)}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (b"p\xff1/FLAIR.nii", r"p\udcff1"),
        (b"p1/T\xff1.nii", r"p1/T\udcff1.nii"),
        (b"sub-1_T\xff1.nii", r"sub-1_T\udcff1.nii"),
        (b"derivatives/sub-1_\xff_mask.nii", r"derivatives/sub-1_\udcff_mask.nii"),
        (b"p\n1/FLAIR.nii", r"p\n1"),
    ],
)
def test_a_name_that_is_no_text_is_a_line(tmp_path, name, said):
    touch(tmp_path, "sub-1/FLAIR.nii", os.fsdecode(name))
    _, (problem,) = survey(tmp_path)
    assert str(problem) == f"{said}: its name is no text in UTF-8 on one line; rename it"


def test_a_cohort_whose_own_name_is_no_text(tmp_path):
    folder = touch(tmp_path / os.fsdecode(b"\xff"), "p1/FLAIR.nii")
    (problem,) = check_cohort(folder)
    assert str(problem).startswith(rf"{tmp_path}/\udcff: its name is no text ")


def test_a_fourth_axis_is_a_channel_a_volume(tmp_path):
    both = body(0, 2)
    write(tmp_path / "sub-01" / "scan.nii.gz", both)
    (subject,) = find_subjects(tmp_path)
    assert list(subject.channels) == ["scan-0", "scan-1"]
    for index, scan in enumerate(subject.channels.values()):
        np.testing.assert_array_equal(np.asarray(read_channel(scan).dataobj), both[..., index])
    one, other = (
        read_subject(subject, Conversion((name,), ("lesion",)), name="01").image
        for name in subject.channels
    )
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("more", "count"), [((), None), ((1,), None), ((3,), 3), ((2, 1), 2)])
def test_volumes_are_counted_over_empty_axes(tmp_path, more, count):
    write(tmp_path / "a.nii", body(0, *more))
    assert count_volumes(tmp_path / "a.nii") == count


def test_a_volume_that_is_not_there(tmp_path):
    write(tmp_path / "a.nii", body(0, 3))
    with pytest.raises(Problem, match=r"a\.nii, volume 3: is not there, the file has 0 to 2"):
        read_channel(Scan(tmp_path / "a.nii", 3))


@pytest.mark.parametrize(
    ("more", "volume", "said"),
    [
        (
            (),
            0,
            ", volume 0: the file holds one volume, without a fourth axis; leave its `volume` ",
        ),
        ((2,), None, ": has 2 volumes; keep one 3-D volume in it, or say which as `volume` "),
        ((1, 2), None, ": has shape (12, 14, 10, 1, 2); keep one 3-D volume in a file"),
        ((1, 2), 0, ", volume 0: has shape (12, 14, 10, 1, 2); keep one 3-D volume in a file"),
    ],
)
def test_a_volume_that_was_not_to_be_named_or_was(tmp_path, more, volume, said):
    write(tmp_path / "p" / "a.nii", body(0, *more))
    with pytest.raises(Problem) as caught:
        read_channel(Scan(tmp_path / "p" / "a.nii", volume))
    assert str(caught.value).startswith(f"p/a.nii{said}")


def test_volumes_of_one_file_are_source_and_target(tmp_path):
    for number in (1, 2):
        write(tmp_path / f"sub-0{number}_scan.nii.gz", body(number, 2))
        mask = (body(0) > 1.5).astype(np.uint8)
        write(tmp_path / f"sub-0{number}_dseg.nii.gz", mask)
    study = load_study(
        tmp_path,
        tmp_path,
        source_subjects=["01"],
        source_channels=["scan-0"],
        target_channels=["scan-1"],
    )
    assert study.source.names == ("sub-01",)
    assert study.target.names == ("sub-02",)
    assert study.source.train[0].image.shape[0] == 1
