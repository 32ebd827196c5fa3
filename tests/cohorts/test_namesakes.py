"""Nobody is learned from in one folder and tested in the other."""

import shutil

import numpy as np
import pytest
from layouts import image, mask, save

from cdseg_teach.cohorts import namesakes as module
from cdseg_teach.cohorts.layout import with_prefix
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.cohorts.splits import fold_by_subject, split_by_subject
from cdseg_teach.problems import Problem


def people(folder, names, first_seed):
    for number, name in enumerate(names):
        save(folder / name / "T1.nii.gz", image(first_seed + number))
        save(folder / name / "label.nii.gz", mask(1))


def plain(names):
    """Without what tells namesakes apart in a study."""
    return {with_prefix(name.removeprefix("source-").removeprefix("target-")) for name in names}


def splits_of(study):
    return [
        {key: plain(split.names) for key, split in cohort.splits.items()}
        for cohort in (study.source, study.target)
    ]


@pytest.mark.parametrize("folds", [None, 5])
@pytest.mark.parametrize("prefix", ["", "sub-"])
def test_names_in_both_folders_are_dealt_out_once(tmp_path, folds, prefix):
    people(tmp_path / "S", [f"p{n}" for n in range(10)], 0)
    people(tmp_path / "T", [f"{prefix}p{n}" for n in range(3, 15)], 100)
    for seed in range(5 if folds else 8):
        study = load_study(tmp_path / "S", tmp_path / "T", folds=folds, seed=seed)
        ours, theirs = splits_of(study)
        assert not ours["train"] & theirs["test"]
        assert not theirs["train"] & ours["test"]
        assert min(len(names) for side in (ours, theirs) for names in side.values()) > 0
        assert any("7 names are in both folders" in note for note in study.notes)


@pytest.mark.parametrize("folds", [None, 4])
def test_a_namesake_without_a_label_parts_nobody(tmp_path, folds):
    people(tmp_path / "S", [f"p{n}" for n in range(10)], 0)
    people(tmp_path / "T", [f"p{n}" for n in range(10)], 100)
    for name in ("p2", "p5"):
        (tmp_path / "T" / name / "label.nii.gz").unlink()
    for seed in range(4 if folds else 10):
        study = load_study(tmp_path / "S", tmp_path / "T", folds=folds, seed=seed)
        ours, theirs = splits_of(study)
        assert not ours["train"] & theirs["test"]


def test_over_all_folds_everybody_of_t_is_tested_once(tmp_path):
    people(tmp_path / "S", ["a", "b"], 0)
    people(tmp_path / "T", list("abcdef"), 10)
    tested = []
    for fold in range(3):
        ours, theirs = splits_of(load_study(tmp_path / "S", tmp_path / "T", folds=3, seed=fold))
        tested += theirs["test"]
        assert not ours["train"] & theirs["test"]
    assert sorted(tested) == [with_prefix(name) for name in "abcdef"]


def test_a_single_namesake_is_told(tmp_path):
    """One person a side, of one name: two people, most often; a note, since nobody can know."""
    people(tmp_path / "S", ["sub-01"], 0)
    people(tmp_path / "T", ["01"], 1)
    notes = load_study(tmp_path / "S", tmp_path / "T").notes
    assert any("sub-01: learned from in S and tested in T" in note for note in notes)


def test_names_of_their_own_are_dealt_out_as_ever():
    names = [f"p{n}" for n in range(11)]
    for seed in range(3):
        assert split_by_subject(names, seed=seed, first="test", shared={"q"}) == split_by_subject(
            names, seed=seed, first="test"
        )
    both = split_by_subject(names, seed=1, first="test", shared=set(names))
    assert both == split_by_subject(names, seed=1, first="test")


def test_folds_of_shared_names_agree_whoever_else_is_there():
    shared = {"a", "b", "c", "d"}
    for fold in range(4):
        ours = fold_by_subject("abcdxy", fold=fold, folds=4, first="train", shared=shared)
        theirs = fold_by_subject("zabcd", fold=fold, folds=4, first="test", shared=shared)
        assert shared & set(ours["test"]) == shared & set(theirs["test"])


def test_a_copy_under_another_name_is_named(tmp_path):
    people(tmp_path / "S", ["p1", "p2"], 0)
    people(tmp_path / "T", ["q1", "q2"], 10)
    shutil.copy(tmp_path / "S" / "p2" / "T1.nii.gz", tmp_path / "T" / "q1" / "T1.nii.gz")
    with pytest.raises(Problem, match=r"q1/T1\.nii\.gz: is a copy of p2/T1\.nii\.gz"):
        load_study(tmp_path / "S", tmp_path / "T")
    (tmp_path / "T" / "q1").rename(tmp_path / "T" / "p2")
    assert load_study(tmp_path / "S", tmp_path / "T").notes  # one person, one name: told


def test_volumes_of_one_size_are_no_copies(tmp_path, monkeypatch):
    """Uncompressed, all files of a scanner have one size: then all is read."""
    monkeypatch.setattr(module, "SAMPLE", 0)
    for name, seed in (("S/p1", 0), ("T/q1", 1)):
        save(tmp_path / name / "T1.nii", image(seed))
        save(tmp_path / name / "label.nii.gz", mask(1))
    study = load_study(tmp_path / "S", tmp_path / "T")
    assert np.isfinite(study.source.train[0].image).all()
