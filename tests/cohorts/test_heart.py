"""The heart study, on a small coarse grid."""

import dataclasses

import numpy as np
import pytest

from cdseg_teach.anatomy import Grid
from cdseg_teach.cohorts.heart import heart_study
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import HEART_CT, HEART_MR

GRID = Grid(shape=(8, 32, 32), spacing_mm=(16.0, 7.5, 7.5), centre_mm=(12.0, -30.0, 5.0))
SIZES = {"train": 2, "validation": 1, "test": 1}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path))


def small(seed=0, **options):
    return heart_study(seed, sizes=SIZES, grid=GRID, **options)


def images(cohort):
    return np.stack([s.image for s in (*cohort.train, *cohort.validation, *cohort.test)])


def test_it_is_the_lectures_study():
    study = small()
    assert study.name == "heart"
    assert study.source.channels == ("MR",)
    assert study.target.channels == ("CT",)
    assert study.shifted_channels == (0,)
    assert study.source.structures == ("LV", "RV", "LA", "RA", "MYO", "AO", "PA")
    assert "one real heart" in repr(study)
    subject = study.target.test[0]
    assert subject.image.shape == (1, *GRID.shape)
    assert subject.image.dtype == np.float32
    assert set(np.unique(subject.label)) == set(range(8))
    assert np.array_equal(subject.affine, GRID.affine)


def test_the_other_direction_swaps_the_modalities():
    there, back = small(), small(direction="ct_to_mr")
    assert back.source.channels == ("CT",)
    assert back.target.channels == ("MR",)
    assert back.source.labels_for_training
    assert not back.target.labels_for_training
    assert there.source.name.removeprefix("source") == back.target.name.removeprefix("target")


def test_nobody_is_in_two_places_and_no_two_studies_share_a_heart():
    studies = [small(seed) for seed in (0, 1)]
    names = [name for study in studies for c in (study.source, study.target) for name in c.names]
    assert len(set(names)) == len(names)
    hearts = np.stack(
        [
            subject.label
            for study in studies
            for cohort in (study.source, study.target)
            for subject in (*cohort.labelled_train, *cohort.validation, *cohort.test)
        ]
    )
    flat = hearts.reshape(len(hearts), -1)
    same = (flat[:, None] == flat[None]).mean(axis=2)
    assert same[~np.eye(len(flat), dtype=bool)].max() < 0.99


def test_the_target_trains_without_labels():
    study = small()
    assert all(subject.label is None for subject in study.target.train)
    assert all(subject.label is not None for subject in study.target.labelled_train)
    assert all(subject.label is not None for subject in study.source.train)


def test_both_modalities_are_normalised_in_one_way():
    """About zero mean and unit deviation over the body, 0 outside, whatever the unit was."""
    study = small()
    for cohort in (study.source, study.target):
        for image in images(cohort):
            inside = image[image != 0]
            assert abs(inside.mean()) < 0.1
            assert inside.std() == pytest.approx(1, abs=0.15)


def test_ct_is_read_in_its_window():
    """All that lies above and below the window is one grey each."""
    narrow = dataclasses.replace(HEART_CT, level_hu=100.0, width_hu=100.0)
    image = small(ct=narrow).target.test[0].image
    inside = image[image != 0]
    extremes = [np.isclose(inside, end, atol=1e-3).mean() for end in (inside.min(), inside.max())]
    assert extremes[0] > 0.2, "fat and lung"
    assert extremes[1] > 0.05, "contrast and bone"


def test_the_same_seed_is_the_same_study_from_the_cache_and_without(tmp_path, monkeypatch):
    rendered, cached = images(small().target), images(small().target)
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path / "another"))
    assert np.array_equal(rendered, cached)
    assert np.array_equal(rendered, images(small().target))


def test_another_scanner_is_another_image_of_the_same_people():
    noisy = dataclasses.replace(HEART_MR, bias=0.4)
    one, other = small().source.test[0], small(mr=noisy).source.test[0]
    assert not np.array_equal(one.image, other.image)
    assert np.array_equal(one.label, other.label)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"seed": -1}, "seed -1"),
        ({"seed": "one"}, "seed 'one'"),
        ({"direction": "mr"}, "direction 'mr': choose mr_to_ct or ct_to_mr"),
        ({"sizes": {"train": 0, "validation": 1, "test": 1}}, "sizes"),
        ({"sizes": {"train": 1}}, "sizes"),
    ],
)
def test_bad_arguments_are_named(options, culprit):
    with pytest.raises(Problem, match=culprit):
        heart_study(**options)
