"""The augmentation lab: its stack, its draws, and what its controls do to them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import toy_subject

from cdseg_teach.cohorts.study import Cohort, Split, Study
from cdseg_teach.experiments import recipes
from cdseg_teach.labs.augmentation import DRAWS, KNOBS, LINES, AugmentationLab
from cdseg_teach.labs.augmentation_view import AugmentationView
from cdseg_teach.methods import Supervised
from cdseg_teach.methods.augmentation import (
    ORDINARY,
    RANDOM_NETWORKS,
    SYNTHETIC,
    Fourier,
    Gamma,
    Inversion,
)
from cdseg_teach.problems import Problem


@pytest.fixture
def lab(study: Study) -> AugmentationLab:
    return AugmentationLab(study)


def only(lab: AugmentationLab, name: str, strength: float | None = None) -> AugmentationLab:
    for used in lab.strengths:
        lab.drop(used)
    lab.use(name, strength)
    return lab


def test_it_opens_on_the_shifted_channel_and_the_slice_with_most_foreground(
    lab: AugmentationLab, study: Study
) -> None:
    subject = study.source.train[0]
    assert (lab.subject, lab.channel, lab.z) == (subject, 1, subject.telling_slice())
    planes = lab.planes()
    assert planes.shape == (1 + DRAWS, 32, 32)
    np.testing.assert_array_equal(planes[0], subject.image[1, lab.z])


@pytest.mark.parametrize("name", KNOBS)
def test_each_transform_changes_the_slice_unless_its_strength_is_0(
    lab: AugmentationLab, name: str
) -> None:
    original, *draws = only(lab, name).planes()
    assert any((draw != original).any() for draw in draws)
    original, *draws = only(lab, name, 0).planes()
    for draw in draws:
        np.testing.assert_array_equal(draw, original)


def test_the_stack_has_the_order_in_which_transforms_were_added(lab: AugmentationLab) -> None:
    only(lab, "Gamma", 0.2)
    lab.use("Inversion")
    lab.use("Gamma", 0.3)
    lab.probability = 0.5
    assert lab.stack.steps == ((Gamma(0.3), 0.5), (Inversion(0.5), 0.5))
    lab.drop("Gamma")
    assert lab.stack.steps == ((Inversion(0.5), 0.5),)


def test_a_preset_is_what_a_row_of_the_table_trains_with(
    lab: AugmentationLab, study: Study
) -> None:
    lab.preset = "augmentation"
    assert lab.stack == ORDINARY
    lab.preset = "gin"
    assert lab.stack == RANDOM_NETWORKS
    lab.preset = "fourier"
    ((fourier, probability),) = recipes.learner_of("fourier", study).augment.steps
    assert lab.strengths == {"Fourier": fourier.radius}
    assert lab.probability == probability
    lab.preset = "synthesis"
    assert lab.stack == SYNTHETIC


def test_a_preset_that_is_changed_is_none_any_more(lab: AugmentationLab) -> None:
    assert lab.preset is None
    lab.preset = "gin"
    assert lab.preset == "gin"
    lab.use("GIN", 0.3)
    assert lab.preset is None
    lab.use("GIN")
    lab.probability = 0.5
    assert lab.preset is None
    lab.preset = "augmentation"
    lab.drop("Inversion")
    lab.use("Inversion")  # last instead of first
    assert lab.preset is None


def test_the_same_seed_draws_the_same_pictures(lab: AugmentationLab) -> None:
    first = lab.planes()
    np.testing.assert_array_equal(lab.planes(), first)
    lab.draw_again()
    other = lab.planes()
    assert (other[1:] != first[1:]).any()
    np.testing.assert_array_equal(other[0], first[0])
    lab.seed = 0
    np.testing.assert_array_equal(lab.planes(), first)


def test_without_probability_nothing_is_changed(lab: AugmentationLab) -> None:
    lab.probability = 0
    planes = lab.planes()
    assert (planes == planes[0]).all()


def test_a_learner_trains_with_the_stack(lab: AugmentationLab, study: Study) -> None:
    for name in KNOBS:
        lab.use(name)
    learner = Supervised(study.source.train, augment=lab.stack, batch_size=2, seed=0)
    assert np.isfinite(learner.step()["loss_seg"])


def test_fourier_takes_the_targets_training_images_and_the_caption_says_so(
    lab: AugmentationLab, study: Study
) -> None:
    lab.use("Fourier", 3)
    fourier = lab.stack.steps[-1][0]
    assert isinstance(fourier, Fourier)
    assert fourier.radius == 3
    first = torch.from_numpy(study.target.train[0].image[:, 0])
    torch.testing.assert_close(fourier.others[0], first)
    assert len(fourier.others) == sum(s.image.shape[1] for s in study.target.train)
    assert "3 unlabelled training subjects (T)" in lab.caption()
    assert "MixStyle" in lab.caption()


def test_what_cannot_be_is_refused_and_changes_nothing(study: Study) -> None:
    target = study.target
    nobody = Cohort(
        "T",
        target.channels,
        target.structures,
        **target.splits | {"train": Split((), tuple)},
        labels_for_training=False,
    )
    lab = AugmentationLab(replace(study, target=nobody), study.target.train[0])
    before = repr(lab)
    for act, said in (
        (lambda: lab.use("Magic"), "no transform"),
        (lambda: lab.use("Gamma", 7), "choose from 0 to 1"),
        (lambda: lab.use("Synthesis"), "give the slices' labels"),
        (lambda: setattr(lab, "preset", "synthesis"), "give the slices' labels"),
        (lambda: setattr(lab, "preset", "magic"), "no row 'magic'"),
        (lambda: lab.use("Fourier"), "no training subject"),
        (lambda: setattr(lab, "probability", 2), "from 0 to 1"),
        (lambda: lab.look(channel=2), "no channel 2"),
        (lambda: lab.look(channel=0, z=8), "no slice 8"),
    ):
        with pytest.raises(Problem, match=said):
            act()
    assert repr(lab) == before


def test_histograms_count_the_foreground(lab: AugmentationLab) -> None:
    shares = lab.histograms(lab.planes())
    assert list(shares) == list(LINES)
    for percent in shares.values():
        assert percent.sum() == pytest.approx(100)
    only(lab, "Inversion", 1)
    _, *draws = lab.histograms(-lab.planes()).values()
    for percent in draws:
        np.testing.assert_array_equal(percent, shares["original"])


def test_the_read_out_says_how_alike_the_draws_are(lab: AugmentationLab) -> None:
    only(lab, "Inversion", 1)
    assert "Inversion 1, each with probability 1" in lab.in_words(lab.planes())
    assert re.findall(r"-?\d\.\d\d", lab.in_words(lab.planes())) == ["-1.00"] * DRAWS


def test_an_empty_slice_is_said_to_be_empty(study: Study) -> None:
    subject = toy_subject()
    image = subject.image.copy()
    image[:, 0] = 0
    lab = AugmentationLab(study, replace(subject, image=image), z=0)
    for name in KNOBS:
        lab.use(name)
    planes = lab.planes()
    assert not planes.any()
    assert not any(percent.any() for percent in lab.histograms(planes).values())
    assert lab.in_words(planes).endswith("nothing is there.")


def test_controls_move_the_lab_and_follow_it(lab: AugmentationLab) -> None:
    view = AugmentationView(lab)
    original, before = view.pictures[0].value, view.pictures[1].value
    view.strengths["GIN"].value = 0.5  # a strength that is moved puts its transform in
    assert lab.strengths == {"Inversion": 0.5, "Gamma": 0.4, "GIN": 0.5}
    assert view.used["GIN"].value
    assert view.used["GIN"].description == "3. GIN"
    assert (view.pictures[0].value == original, view.pictures[1].value == before) == (True, False)
    assert view.pictures[1].alt == "draw 1, two of S-train-0, slice 3"
    view.used["Inversion"].value = False
    assert view.used["GIN"].description == "2. GIN"
    assert view.used["Inversion"].description == "Inversion"
    view.again.click()
    assert lab.seed == 1
    assert view.preset.value == ""
    view.channel.value, view.z.value, view.probability.value = 0, 2, 0.5
    assert (lab.channel, lab.z, lab.probability) == (0, 2, 0.5)
    assert "one of S-train-0, slice 2: Gamma 0.4 → GIN 0.5" in view.status.value


def test_a_preset_is_chosen_and_shown(lab: AugmentationLab) -> None:
    view = AugmentationView(lab)
    view.preset.value = "gin"
    assert lab.strengths == {"GIN": 1}
    assert (view.used["GIN"].description, view.used["Gamma"].value) == ("1. GIN", False)
    view.strengths["GIN"].value = 0.5
    assert view.preset.value == ""
    view.preset.value = "gin"
    view.preset.value = ""  # nothing to choose
    assert view.preset.value == "gin"


def test_a_problem_is_said_and_the_tick_goes(study: Study) -> None:
    view = AugmentationView(AugmentationLab(study, study.target.train[0]))
    view.used["Synthesis"].value = True
    assert "give the slices&#x27; labels" in view.status.value
    assert not view.used["Synthesis"].value


def test_every_control_has_a_description(lab: AugmentationLab) -> None:
    view = AugmentationView(lab)
    controls = [*view.used.values(), *view.strengths.values(), view.preset, view.channel, view.z]
    assert all(control.description for control in [*controls, view.again])


def test_one_bundle_for_every_front_end(lab: AugmentationLab) -> None:
    data, metadata = lab._repr_mimebundle_()
    assert data["text/plain"] == (
        "AugmentationLab(two of S-train-0, slice 3: Inversion 0.5 → Gamma 0.4, "
        "each with probability 1, seed 0)"
    )
    assert "Correlation of the draws" in metadata["image/png"]["alt"]


def test_in_print_the_lines_are_told_apart_without_colour(lab: AugmentationLab) -> None:
    picture = lab.picture()
    drawn = picture.axes[-1].get_lines()
    assert [line.get_label() for line in drawn] == list(LINES)
    assert len({dash for _, dash, _ in LINES.values()}) == len(LINES)
