from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cdseg_teach.cohorts.load import folds_for, load_study
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2

# Most tests are not about it; those that are ask for it.
pytestmark = pytest.mark.filterwarnings("ignore:not used")


@pytest.fixture
def elsewhere(scans, tmp_path) -> Path:
    """Another hospital's folder, whose patients are called the same; it has a PD and no T2."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(scans, folder)
    for file in folder.glob("*/T2.nii.gz"):
        file.rename(file.with_name("PD.nii.gz"))
    return folder


CARD_WITH_SPLITS = {
    "name": "many",
    "channels": ["FLAIR"],
    "structures": ["lesion"],
    "splits": {"test": ["p05"]},
}


def put_card(folder: Path, *channels: str) -> None:
    card = {"name": folder.name, "channels": channels, "structures": ["lesion"]}
    (folder / "cohort.json").write_text(json.dumps(card))


def test_without_cards_channels_of_both_folders_are_used_and_the_others_named(scans, elsewhere):
    with pytest.warns(UserWarning, match="not used") as caught:
        study = load_study(scans, elsewhere)
    assert study.source.channels == study.target.channels == ("FLAIR",)
    assert study.shifted_channels == ()
    assert study.notes[0].startswith("not used: T2 (source only), PD (target only); to pair them")
    assert [str(warning.message) for warning in caught] == [study.notes[0]]
    assert caught[0].filename == __file__


def test_cards_that_list_as_many_channels_pair_them_by_place(scans, elsewhere):
    put_card(scans, "FLAIR", "T2")
    put_card(elsewhere, "FLAIR", "PD")
    study = load_study(scans, elsewhere)
    assert study.source.channels == ("FLAIR", "T2")
    assert study.target.channels == ("FLAIR", "PD")
    assert study.shifted_channels == (1,)
    assert not any("not used" in note for note in study.notes)


def test_the_lecture_s_channels_are_paired_by_their_cards(tmp_path, scans):
    for folder, scanner in (("trio", DATA_SET_1), ("verio", DATA_SET_2)):
        shutil.copytree(scans, tmp_path / folder)
        for patient in (tmp_path / folder).iterdir():
            (patient / "T2.nii.gz").unlink()
            for channel in scanner.channels[1:]:
                shutil.copy(patient / "FLAIR.nii.gz", patient / f"{channel}.nii.gz")
        put_card(tmp_path / folder, *scanner.channels)
    study = load_study(tmp_path / "trio", tmp_path / "verio")
    assert study.shifted_channels == (4,)
    assert (study.source.channels[4], study.target.channels[4]) == ("GE", "SWI")


def test_one_channel_each_is_a_pair_when_cards_say_so(scans, elsewhere):
    put_card(scans, "T2")
    put_card(elsewhere, "PD")
    assert load_study(scans, elsewhere).shifted_channels == (0,)


def test_cards_in_another_order_pair_equal_names(scans, tmp_path):
    shutil.copytree(scans, tmp_path / "other")
    put_card(scans, "FLAIR", "T2")
    put_card(tmp_path / "other", "T2", "FLAIR")
    study = load_study(scans, tmp_path / "other")
    assert study.source.channels == study.target.channels == ("FLAIR", "T2")
    assert study.shifted_channels == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "unused"),
    [
        (["FLAIR", "T2"], ["PD", "FLAIR"], "T2 (source only), PD (target only)"),
        (["FLAIR", "T2"], ["FLAIR"], "T2 (source only)"),
        (["FLAIR", "T2"], None, "T2 (source only), PD (target only)"),
        ([], [], "T2 (source only), PD (target only)"),
    ],
    ids=["another place", "fewer", "one card", "empty cards"],
)
def test_cards_that_do_not_pair_leave_the_common_channels(scans, elsewhere, ours, theirs, unused):
    put_card(scans, *ours)
    if theirs is not None:
        put_card(elsewhere, *theirs)
    with pytest.warns(UserWarning, match="not used"):
        study = load_study(scans, elsewhere)
    assert study.source.channels == study.target.channels == ("FLAIR",)
    assert study.notes[0].partition(";")[0] == f"not used: {unused}"
    assert ("to pair them" in study.notes[0]) == ("target only" in unused)


def test_channels_that_are_chosen_need_no_warning(scans, elsewhere):
    put_card(scans, "FLAIR", "T2")
    put_card(elsewhere, "FLAIR", "PD")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = load_study(scans, elsewhere, source_channels=["FLAIR"])
    assert study.source.channels == study.target.channels == ("FLAIR",)
    assert not any("not used" in note for note in study.notes)


def test_channels_of_different_names_are_a_shift(scans, elsewhere):
    study = load_study(
        scans, elsewhere, source_channels=["FLAIR", "T2"], target_channels=["FLAIR", "PD"]
    )
    assert study.shifted_channels == (1,)
    assert study.target.channels == ("FLAIR", "PD")


def test_equal_names_in_two_folders_are_two_people(scans, elsewhere):
    study = load_study(scans, elsewhere)
    assert "source-patient0" in study.source.names
    assert "target-patient0" in study.target.names


def test_a_subject_lands_on_the_working_grid_normalised(scans):
    study = load_study(scans, scans, source_subjects=["patient0", "patient1"])
    subject = study.source.train[0]
    assert subject.image.shape == (2, 6, 96, 96)
    assert subject.spacing_mm == (4.0, 2.0, 2.0)
    assert subject.label.sum() == 6 * 6 * 3
    brain = subject.image[0] != 0
    assert brain.sum() == 12 * 16 * 6
    assert abs(subject.image[0][brain].mean()) < 0.05
    assert abs(subject.image[0][brain].std() - 1) < 0.1


def test_label_and_image_stay_together(scans):
    lit = nib.load(scans / "patient0" / "gt.nii.gz")
    bright = np.asarray(lit.dataobj, np.float32) * 500
    flair = nib.load(scans / "patient0" / "FLAIR.nii.gz")
    nib.save(
        nib.Nifti1Image(flair.get_fdata() + bright, flair.affine), scans / "patient0/FLAIR.nii.gz"
    )
    subject = load_study(scans, scans, source_subjects=["patient0"]).source.train[0]
    channel = subject.image[0]
    assert channel[subject.label == 1].min() > channel[subject.label == 0].max()


def test_one_subject_is_trained_on_in_the_source_and_tested_on_in_the_target(scans):
    study = load_study(scans, scans, source_subjects=["patient0"], target_subjects=["patient2"])
    assert [s.name for s in study.source.train] == ["patient0"]
    assert [s.name for s in study.target.test] == ["patient2"]
    assert study.source.test == study.target.train == ()
    assert study.notes == (
        "source: one subject, used for train; nobody for validation and test",
        "target: one subject, used for test; nobody for train and validation",
    )
    assert "note: source: one subject" in repr(study)


def test_the_same_folder_twice_is_halved_by_the_seed(scans):
    dealt = set()
    for seed in range(8):
        study = load_study(scans, scans, seed=seed)
        assert len(study.source.names) == 2
        assert len({*study.source.names, *study.target.names}) == 3
        dealt.add(study.target.names)
    assert len(dealt) == 3


def test_the_same_folder_twice_deals_the_rest_to_the_other(scans):
    study = load_study(scans, scans, target_subjects=["sub-patient1"])
    assert set(study.target.names) == {"patient1"}
    assert set(study.source.names) == {"patient0", "patient2"}


def test_over_all_folds_everybody_is_tested_once_whatever_a_card_says(scans, elsewhere):
    names = [f"patient{number}" for number in range(3)]
    splits = {"train": names[:1], "validation": names[1:2], "test": names[2:]}
    card = CARD_WITH_SPLITS | {"splits": splits}
    (elsewhere / "cohort.json").write_text(json.dumps(card))
    tested = {"source": [], "target": []}
    for fold in range(3):
        study = load_study(scans, elsewhere, folds=3, seed=fold)
        for role, cohort in (("source", study.source), ("target", study.target)):
            tested[role] += cohort.splits["test"].names
            assert len(cohort.splits["train"].names) >= 1
    assert {role: len(set(names)) for role, names in tested.items()} == {"source": 3, "target": 3}


def test_halves_stay_the_same_over_folds(scans):
    halves = {
        frozenset(load_study(scans, scans, folds=2, seed=fold).source.names) for fold in range(4)
    }
    assert len(halves) == 1


@pytest.mark.parametrize("folds", [1, 4])
def test_folds_that_are_none(scans, elsewhere, folds):
    with pytest.raises(Problem, match=f"{folds} folds of 3 labelled target subjects; use 2 to 3"):
        load_study(scans, elsewhere, folds=folds)


def test_who_has_no_label_is_target_of_a_folder_that_is_halved(scans):
    (scans / "patient1" / "gt.nii.gz").unlink()
    for seed in range(6):
        study = load_study(scans, scans, seed=seed)
        assert "patient1" in study.target.splits["train"].names
        assert len(study.source.names) == 1


def test_a_folder_that_is_halved_is_not_dealt_by_its_card(scans):
    names = [f"patient{number}" for number in range(3)]
    splits = {"train": names, "validation": [], "test": []}
    (scans / "cohort.json").write_text(json.dumps(CARD_WITH_SPLITS | {"splits": splits}))
    for seed in range(6):
        assert len(load_study(scans, scans, seed=seed).target.splits["test"].names) == 1


def test_few_subjects_need_folds(scans, elsewhere, tmp_path):
    assert folds_for(scans, elsewhere) == 3
    assert folds_for(scans, scans) is None  # half of three: one subject to test on
    many = tmp_path / "many"
    for number in range(28):
        (many / f"p{number:02d}").mkdir(parents=True)
        for name in ("FLAIR.nii.gz", "gt.nii.gz"):
            (many / f"p{number:02d}" / name).touch()
    assert folds_for(scans, many) is None
    for gone in range(3):
        (many / f"p{gone:02d}" / "gt.nii.gz").unlink()  # 25 with a label
    assert folds_for(scans, many) == 5
    (many / "cohort.json").write_text(json.dumps(CARD_WITH_SPLITS))
    assert folds_for(scans, many) is None


def test_a_subject_on_both_sides_is_refused(scans):
    with pytest.raises(Problem, match="patient1 in source and in target"):
        load_study(scans, scans, source_subjects=["patient1"], target_subjects=["patient1"])


def test_splits_are_disjoint_for_every_seed_and_repeatable(scans, elsewhere):
    seen = set()
    for seed in range(30):
        study = load_study(scans, elsewhere, seed=seed)
        assert len(set(study.source.names)) == len(study.source.names) == 3
        again = load_study(scans, elsewhere, seed=seed)
        assert study.source.names == again.source.names
        seen.add(study.source.splits["test"].names)
    assert len(seen) == 3


def test_target_subjects_without_a_label_are_adapted_to_and_not_tested_on(scans, elsewhere):
    (elsewhere / "patient1" / "gt.nii.gz").unlink()
    for seed in range(5):
        study = load_study(scans, elsewhere, seed=seed)
        assert "target-patient1" in study.target.splits["train"].names
    assert any("1 without a label" in note for note in study.notes)


def test_a_source_without_labels_is_refused(scans, elsewhere):
    (scans / "patient1" / "gt.nii.gz").unlink()
    with pytest.raises(Problem, match=r"patient1/label.nii.gz: is missing"):
        load_study(scans, elsewhere)


BAD = {
    "channel": ({"source_channels": ["SWI"]}, "no channel 'SWI'; there is FLAIR, T2"),
    "pairs": ({"source_channels": ["FLAIR", "T2"], "target_channels": ["FLAIR"]}, "pair each"),
    "empty": ({"source_channels": [], "target_channels": []}, "pair each"),
    "subject": ({"source_subjects": ["nobody"]}, "no subject 'nobody'; there is patient0"),
    "grid": ({"plane": (50, 96)}, "multiples of 8"),
    "spacing": ({"spacing_mm": (0, 2, 2)}, "positive lengths"),
    "spacing nan": ({"spacing_mm": (float("nan"), 2, 2)}, "positive lengths"),
    "seed": ({"seed": -1}, "seed -1"),
    "nobody left": ({"source_subjects": ["patient0", "patient1", "patient2"]}, "nobody is left"),
}


@pytest.mark.parametrize(("options", "said"), BAD.values(), ids=BAD)
def test_what_is_not_there_is_named(scans, options, said):
    with pytest.raises(Problem, match=said):
        load_study(scans, scans, **{"source_subjects": ["patient0"], **options})


def test_no_channel_in_common(scans, elsewhere):
    for file in elsewhere.glob("*/FLAIR.nii.gz"):
        file.unlink()
    with pytest.raises(Problem, match="no channel in common"):
        load_study(scans, elsewhere)


def test_many_problems_are_counted(scans, elsewhere):
    for file in scans.glob("*/gt.nii.gz"):
        file.unlink()
    with pytest.raises(Problem, match="and 2 more: cdseg-teach data check"):
        load_study(scans, elsewhere)


def test_a_constant_channel_is_refused(scans):
    file = scans / "patient0" / "FLAIR.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((20, 24, 16), np.float32), np.diag([2.0, 2, 2, 1])), file)
    study = load_study(scans, scans, source_subjects=["patient0"], source_channels=["FLAIR"])
    with pytest.raises(Problem, match=r"patient0/FLAIR\.nii\.gz: is 1 everywhere"):
        _ = study.source.train


@pytest.mark.skipif("CDSEG_TEACH_DATA" not in os.environ, reason="CDSEG_TEACH_DATA is not set")
@pytest.mark.parametrize("channel", ["FLAIR", "T2", "T1"])
def test_two_real_patients(channel):
    folder = Path(os.environ["CDSEG_TEACH_DATA"]) / "open_ms"
    study = load_study(
        folder, folder, source_channels=["FLAIR"], target_channels=[channel],
        source_subjects=["patient19"], target_subjects=["patient07"],
    )  # fmt: skip
    checked = [(study.target.test, 1.3)]
    if channel == "FLAIR":  # the source is the same for all three
        checked.append((study.source.train, 49.8))
    for (subject,), millilitres in checked:
        brain = subject.image[0] != 0
        assert subject.image.shape[0] == 1
        assert 0.9e6 < brain.sum() * 16 < 2.2e6  # mm³ of a brain
        assert np.isfinite(subject.image).all()
        # Small lesions lose their rims to voxels of 16 mm³; they stay lesions.
        assert 0.3 < subject.label.sum() * 0.016 / millilitres < 1.2


@pytest.mark.parametrize("names", [{}, {"source_subjects": ["patient0"]}])
def test_where_nobody_has_a_mask_the_names_that_count_are_said(scans, names):
    for file in scans.glob("*/gt.nii.gz"):
        file.rename(file.with_name("lesions.nii.gz"))
    with pytest.raises(Problem, match=r"label\.nii\.gz \(or gt, consensus_gt, dseg, mask\)"):
        load_study(scans, scans, **names)
