import math
import warnings

import numpy as np
import pytest
import torch
from toy import SPACING_MM, toy_subject

from cdseg_teach.evaluation import (
    a_distance,
    assd,
    calibration_error,
    dsc,
    evaluate,
    hd95,
    mean_std,
    precision,
    recall,
    scores,
)
from cdseg_teach.methods import Supervised, steps
from cdseg_teach.problems import Problem

NOTHING = np.zeros((4, 6, 6), dtype=bool)
BOX = NOTHING.copy()
BOX[1:3, 1:4, 1:4] = True


class Says:
    """A predictor that answers with what it was given."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, volume):
        return self.answer


def random_masks(seed):
    rng = np.random.default_rng(seed)
    grid = (7, 20, 22)
    return [
        toy_subject(seed=int(s), grid=grid).label.astype(bool) for s in rng.integers(999, size=2)
    ]


@pytest.fixture(scope="module")
def monai_metrics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai import metrics

        return metrics


def as_batch(mask):
    return torch.from_numpy(mask)[None, None].float()


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
@pytest.mark.parametrize("seed", range(6))
def test_metrics_agree_with_monai(monai_metrics, seed):
    p, t = random_masks(seed)
    both = (as_batch(p), as_batch(t))
    dice = monai_metrics.compute_dice(*both).item()
    hausdorff = monai_metrics.compute_hausdorff_distance(
        *both, include_background=True, percentile=95, spacing=list(SPACING_MM)
    ).item()
    average = monai_metrics.compute_average_surface_distance(
        *both, include_background=True, symmetric=True, spacing=list(SPACING_MM)
    ).item()
    confusion = monai_metrics.get_confusion_matrix(*both)
    for ours, name in [(recall, "sensitivity"), (precision, "precision")]:
        theirs = monai_metrics.compute_confusion_matrix_metric(name, confusion).item()
        assert ours(p, t) == pytest.approx(theirs, abs=1e-6)
    assert dsc(p, t) == pytest.approx(dice, abs=1e-6)
    assert hd95(p, t, SPACING_MM) == pytest.approx(hausdorff, rel=1e-4)
    assert assd(p, t, SPACING_MM) == pytest.approx(average, rel=1e-4)


def test_distances_are_in_mm_and_symmetric():
    moved = np.roll(BOX, 1, axis=0)
    assert hd95(BOX, moved, (4.0, 2.0, 2.0)) == 4.0
    assert hd95(BOX, moved, (8.0, 2.0, 2.0)) == 8.0
    p, t = random_masks(3)
    assert hd95(p, t, SPACING_MM) == hd95(t, p, SPACING_MM)
    assert assd(p, t, SPACING_MM) == pytest.approx(assd(t, p, SPACING_MM))
    assert hd95(p, p, SPACING_MM) == assd(p, p, SPACING_MM) == 0


def test_a_structure_that_is_missing():
    both = scores(NOTHING, NOTHING, SPACING_MM)
    assert both == {"dsc": 1, "recall": 1, "precision": 1, "hd95_mm": 0, "assd_mm": 0}
    for p, t in [(BOX, NOTHING), (NOTHING, BOX)]:
        one = scores(p, t, SPACING_MM)
        assert one["dsc"] == one["recall"] == one["precision"] == 0
        assert math.isnan(one["hd95_mm"])
        assert math.isnan(one["assd_mm"])


def test_shapes_must_agree():
    with pytest.raises(Problem, match=r"\(4, 6, 6\).*\(4, 6, 5\)"):
        dsc(BOX, BOX[..., :5])


def test_evaluate_has_a_row_for_each_subject_and_structure():
    subject = toy_subject("sub-01")
    rows = evaluate(Says(subject.label), [subject], structures=("blob", "absent"))
    assert list(rows.columns) == [
        "subject", "structure", "dsc", "recall", "precision", "hd95_mm", "assd_mm",
    ]  # fmt: skip
    assert list(rows["structure"]) == ["blob", "absent"]
    assert list(rows["dsc"]) == [1.0, 1.0]
    nothing = evaluate(Says(0 * subject.label), [subject])
    assert nothing["dsc"].item() == 0
    assert nothing["hd95_mm"].isna().item()


def test_evaluate_names_a_subject_it_cannot_judge():
    subject = toy_subject("sub-07")
    with pytest.raises(Problem, match=r"sub-07.*no label"):
        evaluate(Says(subject.label), [subject.without_label()])
    with pytest.raises(Problem, match=r"sub-07.*label 1"):
        evaluate(Says(subject.label), [subject], structures=())


def test_mean_std_is_written_as_on_the_slide():
    assert mean_std([0.5, 0.7, math.nan]) == "60.0 (14.1)"
    assert mean_std([0.5]) == "50.0 (0.0)"
    assert mean_std([math.nan]) == "undefined"


def clouds(shift, seed=0, subjects=6, slices=20):
    rng = np.random.default_rng(seed)
    return [[rng.normal(mean, 1, (slices, 4)) for _ in range(subjects)] for mean in (0.0, shift)]


def test_a_distance_is_small_for_one_domain_and_two_for_two():
    assert a_distance(*clouds(0.0)) < 0.5
    assert a_distance(*clouds(6.0)) == pytest.approx(2.0, abs=0.05)


def test_a_distance_cannot_be_had_by_remembering_subjects():
    """Each subject has its own offset, the domains have none: held-out subjects show it."""
    rng = np.random.default_rng(0)
    subjects = [rng.normal(0, 5, (1, 40)) + rng.normal(0, 0.1, (20, 40)) for _ in range(24)]
    assert np.mean([a_distance(subjects[:12], subjects[12:], seed=s) for s in range(8)]) < 1.0


def test_a_distance_needs_held_out_subjects():
    with pytest.raises(Problem, match="two subjects"):
        a_distance([np.zeros((4, 2))], [np.zeros((4, 2))] * 2)


def test_calibration_of_a_coin_that_knows_and_one_that_boasts():
    label = (np.random.default_rng(0).random((10, 40, 40)) < 0.7).astype(np.uint8)
    honest = np.stack([np.full(label.shape, 0.3), np.full(label.shape, 0.7)])
    sure = np.stack([np.zeros(label.shape), np.ones(label.shape)])
    assert calibration_error(honest, label) == pytest.approx(0, abs=0.02)
    assert calibration_error(sure, label) == pytest.approx(0.3, abs=0.02)


def test_calibration_near_the_foreground_sees_what_the_background_hides():
    label = np.zeros((6, 30, 30), dtype=np.uint8)
    label[2:4, 14:16, 14:16] = 1
    all_background = np.stack([np.ones(label.shape), np.zeros(label.shape)])
    everywhere = calibration_error(all_background, label)
    near = calibration_error(all_background, label, near_mm=2.0, spacing_mm=SPACING_MM)
    assert near > 10 * everywhere
    assert math.isnan(calibration_error(all_background, 0 * label, near_mm=2.0))


def test_a_learner_is_judged_on_the_toy(study):
    learner = Supervised(study.source.train, schedule_steps=60, learning_rate=1e-2)
    for _ in steps(learner, 60, progress=False):
        pass
    on_s = evaluate(learner, study.source.test, study.source.structures)
    on_t = evaluate(learner, study.target.test, study.target.structures)
    assert on_s["dsc"].mean() > on_t["dsc"].mean() + 0.2
    features = [
        [learner.features(s.image) for s in cohort.train] for cohort in (study.source, study.target)
    ]
    assert a_distance(*features) > 1.0
