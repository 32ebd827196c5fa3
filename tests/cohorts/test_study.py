from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cdseg_teach.cohorts import Cohort, Split, Study
from cdseg_teach.problems import Problem


def never() -> tuple:
    raise AssertionError("rendered before anybody asked")


def cohort_of(make_subject, role, *, labels=None, channels=("FLAIR", "GE"), suffix=""):
    return Cohort(
        role,
        channels,
        ("lesion",),
        train=Split.of([make_subject(f"{role}-a{suffix}"), make_subject(f"{role}-b{suffix}")]),
        validation=Split.of([make_subject(f"{role}-c{suffix}")]),
        test=Split.of([make_subject(f"{role}-d{suffix}")]),
        labels_for_training=role == "source" if labels is None else labels,
    )


@pytest.fixture
def study(make_subject) -> Study:
    source = cohort_of(make_subject, "source")
    target = cohort_of(make_subject, "target", channels=("FLAIR", "SWI"))
    return Study("toy", 0, source, target, shifted_channels=(1,))


def test_target_training_hides_labels_and_the_oracle_asks_by_name(study):
    assert all(subject.label is None for subject in study.target.train)
    assert all(subject.label is not None for subject in study.target.labelled_train)
    assert all(subject.label is not None for subject in study.source.train)
    assert study.target.test[0].label is not None


def test_hiding_a_label_changes_nothing_else(make_subject):
    subject = make_subject("a")
    hidden = subject.without_label()
    assert hidden.image is subject.image
    assert subject.label is not None


def test_names_and_repr_render_nothing(make_subject):
    lazy = Split(("x",), never)
    cohort = Cohort(
        "source", ["FLAIR"], ["lesion"], train=lazy, validation=Split((), never),
        test=Split(("y",), never), labels_for_training=True,
    )  # fmt: skip
    assert cohort.names == ("x", "y")
    assert repr(cohort) == "Cohort source: FLAIR; 1 train, 0 validation, 1 test"


def test_a_split_is_read_once(make_subject):
    calls = []
    split = Split(("a",), lambda: calls.append(1) or [make_subject("a")])
    assert split.subjects is split.subjects
    assert calls == [1]


def test_a_split_that_reads_somebody_else_is_refused(make_subject):
    with pytest.raises(Problem, match="was read as"):
        Split(("a",), lambda: [make_subject("b")]).subjects  # noqa: B018


def test_without_channels_drops_them_from_both_and_renumbers_the_shift(study):
    rest = study.without_channels([0])
    assert rest.source.channels == ("GE",)
    assert rest.target.channels == ("SWI",)
    assert rest.shifted_channels == (0,)
    assert np.array_equal(rest.target.test[0].image, study.target.test[0].image[1:])
    assert study.without_channels([1]).shifted_channels == ()
    assert np.shares_memory(rest.target.test[0].image, study.target.test[0].image)


def test_channels_that_are_not_in_a_row_are_copied_in_order(make_subject):
    subject = make_subject("a", channels=4)
    assert np.array_equal(subject.with_channels([0, 3]).image, subject.image[[0, 3]])


@pytest.mark.parametrize("indices", [[2], [-1], [0, 1]])
def test_channels_that_are_not_there_or_all_of_them(study, indices):
    with pytest.raises(Problem, match="channel"):
        study.without_channels(indices)


def test_a_subject_is_in_one_split_only(make_subject):
    twice = Split.of([make_subject("a")])
    with pytest.raises(Problem, match="a in it more than once"):
        Cohort(
            "source", ["F", "G"], ["lesion"], train=twice, validation=Split((), tuple),
            test=twice, labels_for_training=True,
        )  # fmt: skip


def test_a_study_refuses_what_does_not_belong_together(make_subject):
    source = cohort_of(make_subject, "source")
    target = cohort_of(make_subject, "target")
    other = cohort_of(make_subject, "source", labels=False)
    wide = cohort_of(make_subject, "target", channels=("FLAIR", "GE", "T2"))
    with pytest.raises(Problem, match="source-a, source-b"):
        Study("toy", 0, source, other)
    with pytest.raises(Problem, match="pair each"):
        Study("toy", 0, source, wide)
    with pytest.raises(Problem, match="no channel 2"):
        Study("toy", 0, source, target, shifted_channels=(2,))
    with pytest.raises(Problem, match="labels for training"):
        Study("toy", 0, source, cohort_of(make_subject, "target", labels=True))
    target.structures = ("LV",)
    with pytest.raises(Problem, match="structures"):
        Study("toy", 0, source, target)


def test_a_subject_whose_shapes_disagree_is_refused(make_subject):
    subject = make_subject("a")
    with pytest.raises(Problem, match="float32"):
        dataclasses.replace(subject, image=subject.image.astype(float))
    with pytest.raises(Problem, match="label is"):
        dataclasses.replace(subject, label=subject.label[:1])


def test_problems_are_one_line(study):
    with pytest.raises(Problem) as caught:
        study.without_channels([7])
    assert "\n" not in str(caught.value)


def test_loading_reads_every_split_once(make_subject):
    reads = []

    def split(name):
        def read():
            reads.append(name)
            return [make_subject(name)]

        return Split((name,), read)

    def cohort(role):
        splits = {part: split(f"{role}-{part}") for part in ("train", "validation", "test")}
        return Cohort(
            role, ("FLAIR", "GE"), ("lesion",), labels_for_training=role == "source", **splits
        )

    study = Study("toy", 0, cohort("source"), cohort("target"))
    assert study.load() is study
    assert study.source.test[0].name == "source-test"
    assert sorted(reads) == sorted((*study.source.names, *study.target.names))
