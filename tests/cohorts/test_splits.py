from __future__ import annotations

import pytest

from cdseg_teach.cohorts.splits import fold_by_subject, halve_by_subject, split_by_subject


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 20])
def test_splits_are_disjoint_and_hold_everybody(count):
    names = [f"sub-{number:02d}" for number in range(count)]
    for seed in range(50):
        splits = split_by_subject(names, seed=seed, first="train")
        dealt = [name for split in splits.values() for name in split]
        assert sorted(dealt) == names
        if count >= 3:
            assert all(splits.values())


def test_the_order_of_folders_does_not_matter_and_the_seed_does():
    names = [f"sub-{number:02d}" for number in range(12)]
    first = split_by_subject(names, seed=1, first="train")
    assert first == split_by_subject(names[::-1], seed=1, first="train")
    assert first != split_by_subject(names, seed=2, first="train")


def test_few_subjects_go_where_they_are_needed():
    assert split_by_subject(["a"], seed=0, first="test")["test"] == ("a",)
    assert split_by_subject(["a"], seed=0, first="train")["train"] == ("a",)
    assert split_by_subject([], seed=0, first="test") == {"train": (), "validation": (), "test": ()}
    two = split_by_subject(["a", "b"], seed=0, first="train")
    assert len(two["train"]) == len(two["test"]) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("folds", [2, 5])
def test_folds_test_everybody_once_and_nobody_in_training(count, folds):
    names = [f"sub-{number:02d}" for number in range(count)]
    dealt = [
        fold_by_subject(names[::-1], fold=fold, folds=folds, first="test")
        for fold in range(min(folds, count))
    ]
    assert sorted(name for splits in dealt for name in splits["test"]) == names
    for splits in dealt:
        assert sorted(name for split in splits.values() for name in split) == names
        assert bool(splits["validation"]) == (len(names) - len(splits["test"]) > 2)


def test_a_single_source_subject_is_trained_on_in_every_fold():
    for fold in range(5):
        assert fold_by_subject(["a"], fold=fold, folds=5, first="train")["train"] == ("a",)


def test_halves_are_disjoint_and_the_first_has_the_odd_one():
    names = [f"sub-{number}" for number in range(7)]
    for seed in range(20):
        first, second = halve_by_subject(names, seed=seed)
        assert len(first) == 4
        assert sorted(first + second) == names
