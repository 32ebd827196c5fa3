"""The worst case of each method, as it was predicted, and again from its file."""

from dataclasses import replace

import numpy as np
import pytest
from toy import toy_study

from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments.facts import Remembering
from cdseg_teach.experiments.worst import load_cases, save_cases, worst_case, worst_of_all
from cdseg_teach.problems import Problem


class Half:
    """Finds all of the first subject, and nothing of the second."""

    def __init__(self, study):
        self.study = study

    def predict_probabilities(self, volume):
        first = self.study.target.test[0]
        found = np.zeros(volume.shape[1:], np.float32)
        if volume is first.image:
            found = first.label.astype(np.float32)
        return np.stack([1 - found, found])


@pytest.fixture
def case():
    study = toy_study()
    predictor = Remembering(Half(study))
    scores = evaluate(predictor, study.target.test, study.target.structures)
    return study, worst_case(predictor, study, study, scores, "half")


def test_it_is_the_subject_with_the_lowest_dsc_on_its_worst_slice(case):
    study, worst = case
    second = study.target.test[1]
    assert (worst.subject.name, worst.dsc, worst.seed) == (second.name, 0.0, study.seed)
    assert worst.slice == second.label.sum(axis=(1, 2)).argmax()
    np.testing.assert_array_equal(worst.subject.label[0], second.label[worst.slice])
    np.testing.assert_array_equal(worst.subject.image[0, 0], second.image[1, worst.slice])
    assert not worst.prediction.any()


def test_each_method_keeps_its_lowest(case):
    _, worst = case
    better, other = replace(worst, dsc=0.5), replace(worst, method="other")
    assert worst_of_all([better, other, worst]) == [worst, other]


def test_a_file_gives_back_what_it_was_given(case, tmp_path):
    _, worst = case
    save_cases([worst], tmp_path / "worst.npz")
    (again,) = load_cases(tmp_path / "worst.npz")
    assert (again.method, again.seed, again.dsc, again.slice) == ("half", 0, 0.0, worst.slice)
    np.testing.assert_allclose(again.subject.image, worst.subject.image, atol=0.01)
    np.testing.assert_array_equal(again.subject.label, worst.subject.label)
    np.testing.assert_array_equal(again.prediction, worst.prediction)
    assert again.subject.spacing_mm == worst.subject.spacing_mm


def test_a_broken_file_says_how_to_mend_it(tmp_path):
    (tmp_path / "worst.npz").write_bytes(b"PK")
    with pytest.raises(Problem, match="build the lecture pack again"):
        load_cases(tmp_path / "worst.npz")
