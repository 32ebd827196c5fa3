"""The brain study, on a small coarse grid."""

import numpy as np
import pytest

from cdseg_teach.anatomy import Grid
from cdseg_teach.cohorts import brain_study
from cdseg_teach.cohorts.brain import tissues_of
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import DATA_SET_1

GRID = Grid(shape=(6, 32, 32), spacing_mm=(16.0, 6.0, 6.0))
SIZES = {"train": 2, "validation": 1, "test": 1}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path))


def small(seed=0, **options):
    return brain_study(seed, sizes=SIZES, grid=GRID, **options)


def images(cohort):
    return np.stack([s.image for s in (*cohort.train, *cohort.validation, *cohort.test)])


def test_it_is_the_lectures_study():
    study = small()
    assert study.source.channels == ("FLAIR", "PD", "MPRAGE", "T2", "GE")
    assert study.target.channels == ("FLAIR", "PD", "MPRAGE", "T2", "SWI")
    assert study.shifted_channels == (4,)
    subject = study.target.test[0]
    assert subject.image.shape == (5, *GRID.shape)
    assert subject.image.dtype == np.float32
    assert np.isfinite(subject.image).all()
    assert set(np.unique(subject.label)) <= {0, 1}
    assert np.array_equal(subject.affine, GRID.affine)


def test_nobody_is_in_two_places_and_no_two_studies_share_a_brain():
    studies = [small(seed) for seed in (0, 1)]
    names = [name for study in studies for c in (study.source, study.target) for name in c.names]
    assert len(set(names)) == len(names)
    brains = np.concatenate([images(c) for study in studies for c in (study.source, study.target)])
    flat = brains.reshape(len(brains), -1)
    same = (flat[:, None] == flat[None]).mean(axis=2)
    assert same[~np.eye(len(flat), dtype=bool)].max() < 0.9  # they share the air around the head


def test_the_target_trains_without_labels():
    study = small()
    assert all(subject.label is None for subject in study.target.train)
    assert all(subject.label is not None for subject in study.target.labelled_train)
    assert all(subject.label is not None for subject in study.source.train)


def test_the_same_seed_is_the_same_study_from_the_cache_and_without(tmp_path, monkeypatch):
    rendered, cached = images(small().target), images(small().target)
    monkeypatch.setenv("CDSEG_TEACH_CACHE", str(tmp_path / "another"))
    anew = images(small().target)
    assert np.array_equal(rendered, cached)
    assert np.array_equal(rendered, anew)


def test_at_shift_zero_the_target_is_scanned_by_the_source_scanner():
    unshifted, alike = small(shift=0.0), small(target=DATA_SET_1)
    assert np.array_equal(images(unshifted.target), images(alike.target))
    assert not np.array_equal(images(unshifted.target), images(small().target))


def test_the_dial_moves_the_target_and_leaves_the_source():
    half, whole = small(shift=0.5), small()
    assert np.array_equal(images(half.source), images(whole.source))
    assert not np.array_equal(images(half.target), images(whole.target))


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_what_fills_a_voxel_is_known_afterwards(shift):
    study = small(shift=shift)
    for person in (study.source.train[1], study.target.test[0], study.target.train[0]):
        filled = tissues_of(person, study.seed, GRID)
        everything = sum(filled.values())
        assert everything.max() <= 1 + 1e-5
        assert ((everything > 0.5) != (person.image != 0).any(axis=0)).mean() < 1e-3
    lesion = sum(filled[name] for name in ("oedema", "contusion", "haemorrhage", "microbleed"))
    assert ((lesion >= 0.5) != study.target.labelled_train[0].label).mean() < 1e-3


def test_somebody_of_another_study_is_refused():
    person = small(seed=0).target.test[0]
    for wrong in ({"seed": 1, "grid": GRID}, {"seed": 0}):
        with pytest.raises(Problem, match=r"sub-target0test00 is not of brain_study\([01]\)"):
            tissues_of(person, **wrong)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"seed": -1}, "seed -1"),
        ({"seed": 1.5}, "seed 1.5"),
        ({"seed": "one"}, "seed 'one'"),
        ({"seed": None}, "seed None"),
        ({"shift": 1.5}, "shift 1.5"),
        ({"shift": float("nan")}, "shift nan"),
        ({"sizes": {"train": 0, "validation": 1, "test": 1}}, "sizes"),
        ({"sizes": {"train": 1}}, "sizes"),
    ],
)
def test_bad_arguments_are_named(options, culprit):
    with pytest.raises(Problem, match=culprit):
        brain_study(**options)
