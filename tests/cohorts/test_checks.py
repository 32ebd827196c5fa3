from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts import volumes
from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.cohorts.volumes import Scan, read_volume
from cdseg_teach.problems import Problem

GOOD_CARD = {"name": "toy", "channels": ["FLAIR", "T2"], "structures": ["lesion"]}


def lines(folder: Path) -> list[str]:
    return [str(problem) for problem in check_cohort(folder)]


def rewrite(file: Path, change, affine=None) -> None:
    image = nib.load(file)
    data = np.asarray(image.dataobj).astype(np.float32)
    changed = change(data)
    nib.save(nib.Nifti1Image(changed, image.affine if affine is None else affine), file)


def patch_header(file: Path, offset: int, content: bytes) -> None:
    raw = bytearray(gzip.decompress(file.read_bytes()))
    raw[offset : offset + len(content)] = content
    file.write_bytes(gzip.compress(bytes(raw)))


def put_nan(data: np.ndarray) -> np.ndarray:
    data[5, 6, 7] = np.nan
    data[5, 6, 8] = np.inf
    return data


def cut(file: Path, count: int) -> None:
    file.write_bytes(file.read_bytes()[:-count])


def truncate(file: Path) -> None:
    cut(file, 2000)


def flip_one_byte(file: Path) -> None:
    """A file whose stream can still be unpacked: only gzip's checksum tells."""
    volume = gzip.decompress(file.read_bytes())
    raw = bytearray(gzip.compress(volume, compresslevel=0))
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def spoil_bytes(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 64] = bytes(64)
    file.write_bytes(raw)


def be_4d(file: Path) -> None:
    rewrite(file, lambda data: np.stack([data, data], axis=-1))


def zero_spacing(file: Path) -> None:
    patch_header(file, 80, np.zeros(3, "<f4").tobytes())  # pixdim
    patch_header(file, 252, np.array([0, 0], "<i2").tobytes())  # neither qform nor sform


def singular_affine(file: Path) -> None:
    patch_header(file, 280, np.ones(12, "<f4").tobytes())  # srow_x, srow_y, srow_z


def affine_in_micrometres(file: Path) -> None:
    patch_header(file, 280, (1000 * np.eye(3, 4, dtype="<f4")).tobytes())


def nan_affine(file: Path) -> None:
    patch_header(file, 280, np.full(12, np.nan, "<f4").tobytes())


def huge_header(file: Path) -> None:
    patch_header(file, 40, np.array([3, 30000, 30000, 30000], "<i2").tobytes())  # dim


def be_text(file: Path) -> None:
    file.write_text("this is no volume")


def be_empty(file: Path) -> None:
    file.write_bytes(b"")


BAD_VOLUMES = {
    "nan": (lambda file: rewrite(file, put_nan), "2 values are not finite"),
    "zero": (lambda file: rewrite(file, np.zeros_like), "is 0 everywhere"),
    "constant": (lambda file: rewrite(file, lambda data: np.full_like(data, 7)), "is 7 everywhere"),
    "truncated": (truncate, "truncated or corrupt"),
    "without length": (lambda file: cut(file, 4), "truncated or corrupt"),
    "without checksum": (lambda file: cut(file, 8), "truncated or corrupt"),
    "spoiled": (spoil_bytes, "corrupt"),
    "one byte": (flip_one_byte, "CRC check failed"),
    "4d": (be_4d, "one 3-D volume"),
    "spacing": (zero_spacing, "spacing is zero"),
    "singular": (singular_affine, "affine is singular"),
    "micrometres": (affine_in_micrometres, "is 24 m long by its affine"),
    "nan affine": (nan_affine, "affine is not finite"),
    "huge": (huge_header, "header claims (30000, 30000, 30000)"),
    "text": (be_text, "cannot be opened"),
    "empty": (be_empty, "cannot be opened"),
    "missing": (Path.unlink, "is missing"),
    "shape": (lambda file: rewrite(file, lambda data: data[:-1]), "has shape (19, 24, 16)"),
    "affine": (
        lambda file: rewrite(file, lambda data: data, np.diag([2.0, 2.0, 2.2, 1.0])),
        "mm away from FLAIR.nii.gz",
    ),
}

BAD_LABELS = {
    "fraction": (lambda data: data * 0.5, "label 0.5 is no integer"),
    "outside": (lambda data: data * 7, "label 7 is outside 0..1 (lesion)"),
    "negative": (lambda data: -data, "label -1 is outside"),
}


@pytest.fixture
def carded(scans) -> Path:
    (scans / "cohort.json").write_text(json.dumps(GOOD_CARD))
    return scans


def test_a_good_cohort_has_no_findings(carded):
    assert lines(carded) == []


def test_a_card_is_not_needed(scans):
    assert lines(scans) == []


@pytest.mark.parametrize(("spoil", "said"), BAD_VOLUMES.values(), ids=BAD_VOLUMES)
def test_each_bad_volume_is_one_line_that_names_it(carded, spoil, said):
    spoil(carded / "patient1" / "T2.nii.gz")
    (line,) = lines(carded)
    assert line.startswith("patient1/T2.nii.gz: ")
    assert said in line
    assert "; " in line
    assert "\n" not in line


@pytest.mark.parametrize(("spoil", "said"), BAD_VOLUMES.values(), ids=BAD_VOLUMES)
def test_loading_says_the_same(carded, spoil, said):
    spoil(carded / "patient1" / "T2.nii.gz")
    with pytest.raises(Problem) as caught:
        _ = load_study(carded, carded, source_subjects=["patient1"]).source.train
    assert said in str(caught.value)
    assert "patient1/T2.nii.gz" in str(caught.value)


@pytest.mark.parametrize(("change", "said"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_each_bad_label_is_one_line(carded, change, said):
    rewrite(carded / "patient2" / "gt.nii.gz", change)
    (line,) = lines(carded)
    assert line.startswith("patient2/gt.nii.gz: ")
    assert said in line


@pytest.mark.parametrize(("value", "card"), [(3, None), (3, GOOD_CARD), (1, None)])
def test_a_mask_that_passes_is_one_that_loads(scans, value, card):
    if card:
        (scans / "cohort.json").write_text(json.dumps(card))
    rewrite(scans / "patient2" / "gt.nii.gz", lambda data: data * value)
    found = lines(scans)
    study = load_study(scans, scans, source_subjects=["patient0"])
    if value == 1:
        assert found == []
        study.load()
        return
    with pytest.raises(Problem) as caught:
        study.load()
    assert found == [str(caught.value)]
    assert 'label 3 is outside 0..1 (lesion); list "structures": ' in found[0]
    assert "in cohort.json" in found[0]


def test_structures_are_not_guessed_where_the_card_cannot_be_read(scans):
    (scans / "cohort.json").write_text("{")
    rewrite(scans / "patient2" / "gt.nii.gz", lambda data: data * 3)
    (line,) = lines(scans)
    assert line.startswith("cohort.json: ")


def test_every_problem_is_found_in_one_run(carded):
    truncate(carded / "patient0" / "FLAIR.nii.gz")
    (carded / "patient1" / "FLAIR.nii.gz").unlink()
    rewrite(carded / "patient2" / "T2.nii.gz", put_nan)
    rewrite(carded / "patient2" / "gt.nii.gz", lambda data: data * 2)
    assert len(lines(carded)) == 4
    assert lines(carded) == lines(carded)


def shift(file: Path) -> None:
    rewrite(file, lambda data: data, np.diag([2.0, 2.0, 2.2, 1.0]))


def spoil_in_every_way(folder: Path) -> list[str]:
    """One thing is wrong with each subject from the third on; gives what is to be said of them."""
    two, three, four = (folder / f"sub-0{number}" for number in (2, 3, 4))
    shutil.copy(two / "FLAIR.nii.gz", two / "sub-02_FLAIR.nii.gz")
    for session in ("ses-a", "ses-b"):
        (three / session / "anat").mkdir(parents=True)
        for name in ("FLAIR", "T2", "gt"):
            file = three / session / "anat" / f"sub-03_{session}_{name}.nii.gz"
            shutil.copy(three / f"{name}.nii.gz", file)
    for name in ("FLAIR", "T2", "gt"):
        (three / f"{name}.nii.gz").unlink()
    shutil.copy(folder / "sub-05" / "T2.nii.gz", four / "sub-05_T2.nii.gz")
    truncate(folder / "sub-05" / "FLAIR.nii.gz")
    rewrite(folder / "sub-06" / "T2.nii.gz", put_nan)
    rewrite(folder / "sub-07" / "gt.nii.gz", lambda data: data * 0.5)
    shift(folder / "sub-08" / "FLAIR.nii.gz")
    (folder / "sub-09" / "FLAIR.nii.gz").unlink()
    shutil.copy(folder / "sub-10" / "T2.nii.gz", folder / "sub-10" / "T1.nii.gz")
    rewrite(folder / "sub-10" / "T1.nii.gz", lambda data: data + 1)
    return [
        "sub-02/FLAIR.nii.gz, sub-02/sub-02_FLAIR.nii.gz: are both FLAIR; keep one",
        "sub-03: has sessions ses-a, ses-b; keep one",
        "sub-04: holds sub-05_T2.nii.gz, of sub-05; ",
        "sub-05/FLAIR.nii.gz: is truncated or corrupt",
        "sub-06/T2.nii.gz: 2 values are not finite",
        "sub-07/gt.nii.gz: label 0.5 is no integer; ",
        "sub-08/FLAIR.nii.gz: lies up to 3.2 mm away from T2.nii.gz by its affine; ",
        "sub-09/FLAIR.nii.gz: is missing; ",
    ]


EXTRA = "sub-10/T1.nii.gz: is a channel that most others do not have; "


@pytest.mark.parametrize(
    ("card", "before", "after"),
    [
        (None, [], [EXTRA]),
        ("{", ["cohort.json: cannot be read as JSON "], [EXTRA]),
        (json.dumps(GOOD_CARD), [], []),  # what is not on the card is nobody's business
        (
            json.dumps({**GOOD_CARD, "channels": ["T2", "T2"]}),
            ["cohort.json: channels names something twice; "],
            [EXTRA],
        ),
    ],
    ids=["no card", "broken card", "card", "wrong card"],
)
def test_many_faults_are_a_line_each_in_one_run(many_scans, card, before, after):
    expected = [*before, *spoil_in_every_way(many_scans), *after]
    if card is not None:
        (many_scans / "cohort.json").write_text(card)
    found = lines(many_scans)
    assert len(found) == len(expected)
    for line, beginning in zip(found, expected, strict=True):
        assert line.startswith(beginning)
        assert "; " in line
    assert lines(many_scans) == found


def test_of_two_rivals_the_broken_one_is_named(carded):
    patient = carded / "patient1"
    for name in ("FLAIR", "gt"):
        shutil.copy(patient / f"{name}.nii.gz", patient / f"sub-1_{name}.nii.gz")
    truncate(patient / "sub-1_FLAIR.nii.gz")
    rewrite(patient / "sub-1_gt.nii.gz", lambda data: data * 7)
    assert [line.split("; ")[0].split(" (")[0] for line in lines(carded)] == [
        "patient1/FLAIR.nii.gz, patient1/sub-1_FLAIR.nii.gz: are both FLAIR",
        "patient1/gt.nii.gz, patient1/sub-1_gt.nii.gz: are both gt",
        "patient1/sub-1_FLAIR.nii.gz: is truncated or corrupt",
        "patient1/sub-1_gt.nii.gz: label 7 is outside 0..1",
    ]


def test_a_volume_that_lies_elsewhere_is_at_fault_even_if_it_is_the_first(carded):
    shift(carded / "patient1" / "FLAIR.nii.gz")
    (line,) = lines(carded)
    assert line.startswith("patient1/FLAIR.nii.gz: lies up to 3.2 mm away from T2.nii.gz")


def test_a_channel_of_few_is_a_line_for_these_and_not_for_all_others(scans):
    shutil.copy(scans / "patient1" / "T2.nii.gz", scans / "patient1" / "T2 new.nii.gz")
    truncate(scans / "patient1" / "T2 new.nii.gz")
    extra, broken = lines(scans)
    assert extra.startswith("patient1/T2 new.nii.gz: is a channel that most others do not have; ")
    assert broken.startswith("patient1/T2 new.nii.gz: is truncated")


def test_without_a_card_a_4d_file_is_one_line(scans):
    be_4d(scans / "patient1" / "T2.nii.gz")
    (line,) = lines(scans)
    assert line.startswith("patient1/T2.nii.gz: has several volumes; ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Path.unlink, "is missing; "),
        (be_empty, "cannot be opened as NIfTI "),
        (lambda file: rewrite(file, lambda data: data[..., 0]), "has one volume, others more; "),
        (lambda file: rewrite(file, lambda data: data[..., :2]), "has fewer volumes than "),
        (truncate, "is truncated or corrupt "),
        (lambda file: rewrite(file, lambda data: data[:-1]), "has shape (19, 24, 16), "),
        (lambda file: rewrite(file, np.zeros_like), "is 0 everywhere; "),
    ],
    ids=["missing", "empty", "3-D", "shorter", "truncated", "shape", "zero"],
)
@pytest.mark.parametrize("has_card", [True, False])
def test_a_file_with_many_channels_is_one_line(scans, change, said, has_card):
    for file in scans.glob("*/FLAIR.nii.gz"):
        rewrite(file, lambda data: np.stack([data, data, data, data], axis=-1))
    channels = ["T2", *(f"FLAIR-{index}" for index in range(4))]
    if has_card:
        (scans / "cohort.json").write_text(json.dumps({**GOOD_CARD, "channels": channels}))
    assert lines(scans) == []
    change(scans / "patient1" / "FLAIR.nii.gz")
    (line,) = lines(scans)
    assert line.startswith("patient1/FLAIR.nii.gz")
    assert f": {said}" in line


def test_volumes_of_one_file_are_told_apart_by_what_is_wrong(scans):
    for file in scans.glob("*/FLAIR.nii.gz"):
        rewrite(file, lambda data: np.stack([data, data, data, data], axis=-1))

    def spoil(data: np.ndarray) -> np.ndarray:
        data[..., 1] = data[..., 3] = 0
        data[5, 5, 5, 2] = np.nan
        return data

    rewrite(scans / "patient1" / "FLAIR.nii.gz", spoil)
    assert [line.partition("; ")[0] for line in lines(scans)] == [
        "patient1/FLAIR.nii.gz, volume 1 and 1 more: is 0 everywhere",
        "patient1/FLAIR.nii.gz, volume 2: 1 values are not finite or beyond 1e30",
    ]


def test_a_file_with_many_channels_is_read_once(scans, monkeypatch):
    rewrite(scans / "patient1" / "FLAIR.nii.gz", lambda data: np.stack([data] * 50, axis=-1))
    file = scans / "patient1" / "FLAIR.nii.gz"
    seek, went, opened = gzip.GzipFile.seek, [], []

    def noted(stream, offset, whence=0):
        if whence == 0:
            went.append(offset)
        return seek(stream, offset, whence)

    class Counted(volumes.ImageOpener):
        def __init__(self, *arguments):
            opened.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(gzip.GzipFile, "seek", noted)
    monkeypatch.setattr(volumes, "ImageOpener", Counted)
    backwards = [Scan(file, volume) for volume in reversed(range(50))]
    assert volumes.channel_problems(backwards) == []
    assert len(opened) == 1
    assert len(went) >= 50
    first = next(place for place, offset in enumerate(went) if offset)  # behind the header
    assert went[first:] == sorted(went[first:])


def test_a_mask_without_a_lesion_is_good(carded):
    rewrite(carded / "patient2" / "gt.nii.gz", np.zeros_like)
    assert lines(carded) == []


def test_a_lying_header_is_not_believed_with_memory(carded, monkeypatch):
    huge_header(carded / "patient0" / "FLAIR.nii.gz")
    monkeypatch.setattr(nib.Nifti1Image, "get_fdata", lambda *_, **__: pytest.fail("read it"))
    with pytest.raises(Problem, match="too many for"):
        read_volume(Scan(carded / "patient0" / "FLAIR.nii.gz"))


def test_a_volume_too_large_for_this_software(carded, monkeypatch):
    monkeypatch.setattr(volumes, "MAX_VOXELS", 100)
    assert "crop or downsample" in lines(carded)[0]


def test_a_volume_of_wider_numbers_than_are_needed(carded, monkeypatch):
    file = carded / "patient1" / "T2.nii.gz"
    image = nib.load(file)
    nib.save(nib.Nifti1Image(image.get_fdata(), image.affine), file)
    assert lines(carded) == []
    monkeypatch.setattr(volumes, "MAX_VOXELS", 20 * 24 * 16)
    (line,) = lines(carded)
    assert line.startswith("patient1/T2.nii.gz: (20, 24, 16) voxels of 8 bytes ")
    assert line.endswith("; save it as float32")


def test_nothing_there(tmp_path):
    assert "no subject in it" in lines(tmp_path)[0]
    assert "cannot be read" in lines(tmp_path / "nowhere")[0]


def test_a_folder_of_cohorts_says_which_to_check(carded, tmp_path):
    shutil.copytree(carded, tmp_path / "both" / "target")
    carded.rename(tmp_path / "both" / "source")
    (tmp_path / "both" / "notes").mkdir()
    both = tmp_path / "both"
    told = f"{both}: holds cohorts; check {both / 'source'}, {both / 'target'}"
    assert lines(both) == [told]
    with pytest.raises(Problem) as caught:
        load_study(both, both)
    assert str(caught.value) == told


@pytest.mark.parametrize(("there", "missing"), [("source", "target"), ("target", "source")])
def test_a_folder_of_one_cohort_says_which_is_missing(scans, tmp_path, there, missing):
    both = tmp_path / "both"
    both.mkdir()
    scans.rename(both / there)
    told = f"holds cohorts, but no {missing}/; check {both / there}, and add {both / missing}"
    assert lines(both) == [f"{both}: {told}"]
    (both / missing).mkdir()
    told = f"holds cohorts; check {both / 'source'}, {both / 'target'}"
    assert lines(both) == [f"{both}: {told}"]


def test_a_file_is_no_cohort(carded):
    file = carded / "patient0" / "T2.nii.gz"
    told = f"{file}: is a file; give a folder of subjects"
    assert lines(file) == [told]
    with pytest.raises(Problem) as caught:
        load_study(file, carded)
    assert str(caught.value) == told


@pytest.mark.parametrize("has_card", [True, False])
def test_a_subject_without_a_channel_is_one_line(scans, has_card):
    if has_card:
        (scans / "cohort.json").write_text(json.dumps(GOOD_CARD))
    (scans / "sub-08" / "anat").mkdir(parents=True)
    (scans / "sub-09").mkdir()
    shutil.copy(scans / "patient0" / "gt.nii.gz", scans / "sub-09")
    assert lines(scans) == [
        "sub-08: has no channel; put volumes into sub-08/<channel>.nii.gz",
        "sub-09: has no channel; put volumes into sub-09/<channel>.nii.gz",
    ]


def test_one_person_twice(carded):
    shutil.copytree(carded / "patient0", carded / "sub-patient0")
    found = lines(carded)
    assert any("same subject by name" in line for line in found)
    assert any("is a copy of patient0/FLAIR.nii.gz" in line for line in found)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_without_permission(carded):
    (carded / "patient0" / "T2.nii.gz").chmod(0)
    (line,) = lines(carded)
    assert "Permission denied" in line


def test_a_file_that_the_system_refuses(carded, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(nib, "load", refuse)
    assert "(Permission denied)" in lines(carded)[0]


CARDS = {
    "no json": ("{", "cannot be read as JSON"),
    "list": ("[]", "no JSON object"),
    "no channels": (json.dumps({**GOOD_CARD, "channels": None}), "channels is no list"),
    "number": (json.dumps({**GOOD_CARD, "structures": [1]}), "structures is no list"),
    "twice": (
        json.dumps({**GOOD_CARD, "channels": ["T2", "T2"]}),
        "channels names something twice",
    ),
    "name": (json.dumps({**GOOD_CARD, "name": 3}), "name is no text"),
    "splits": (json.dumps({**GOOD_CARD, "splits": {"trian": []}}), "splits is no object"),
    "unknown": (json.dumps({**GOOD_CARD, "splits": {"train": ["nobody"]}}), "has no folder"),
}


@pytest.mark.parametrize(("card", "said"), CARDS.values(), ids=CARDS)
def test_a_bad_card_is_told_and_the_volumes_are_checked_all_the_same(scans, card, said):
    (scans / "cohort.json").write_text(card)
    (scans / "patient0" / "T2.nii.gz").unlink()
    found = lines(scans)
    assert said in found[0]
    assert found[0].startswith("cohort.json: ")
    assert any("patient0/T2.nii.gz: is missing" in line for line in found)


def test_a_card_that_is_a_pipe_is_not_waited_for(scans):
    os.mkfifo(scans / "cohort.json")
    (line,) = lines(scans)
    assert line.startswith("cohort.json: is a pipe")


def test_a_subject_in_two_splits_or_in_none(carded):
    splits = {"train": ["patient0"], "test": ["patient0", "patient1"]}
    (carded / "cohort.json").write_text(json.dumps({**GOOD_CARD, "splits": splits}))
    found = "\n".join(lines(carded))
    assert "'patient0' is in two splits" in found
    assert "'patient2' is in no split" in found


def test_no_flipped_byte_of_a_header_ends_in_a_traceback(tmp_path):
    file = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.float32), np.eye(4)), file)
    sound = file.read_bytes()
    draw = np.random.default_rng(0)
    for position in range(352):
        broken = bytearray(sound)
        broken[position] ^= int(draw.integers(1, 256))
        file.write_bytes(broken)
        with contextlib.suppress(Problem):
            read_volume(Scan(file))
