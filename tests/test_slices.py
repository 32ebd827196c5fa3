"""Slices as pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from toy import toy_subject

from cdseg_teach import slices
from cdseg_teach.anatomy import heart_subjects
from cdseg_teach.problems import Problem


def test_upright_puts_the_front_up_and_the_patients_right_on_the_left() -> None:
    plane = np.zeros((4, 4), np.uint8)
    plane[3, 3] = 1  # front (largest y) and right (largest x) where voxels run along RAS+
    assert slices.upright(plane, np.eye(4))[0, 0] == 1
    turned = np.diag([-1.0, -1.0, 1.0, 1.0])
    assert slices.upright(plane[::-1, ::-1], turned)[0, 0] == 1


def test_grey_keeps_the_outside_black() -> None:
    assert slices.grey(np.array([[0.0, -9.0, 9.0, 0.25]])).tolist() == [[0, 0, 255, 127]]


def test_outlines_are_told_apart_without_colour() -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 1
    plane = np.full((16, 16), 100, np.uint8)
    prediction, truth = slices.outlined(plane, prediction=mask), slices.outlined(plane, truth=mask)
    orange = (prediction == [0xE6, 0x9F, 0x00]).all(axis=2)
    white = (truth == 255).all(axis=2)
    assert orange.sum() > 2 * white.sum()  # a full, thick line; a dashed, thin one
    assert white.any()
    assert (slices.outlined(plane, np.zeros_like(mask)) == 100).all()


def test_structures_that_touch_in_a_heart_differ_in_light() -> None:
    def light(colour: str) -> float:  # CIE L* of sRGB
        value = np.array(slices.rgb(colour)) / 255
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        return float(116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16)

    label = heart_subjects([1, 2, 3]).label().numpy()
    pairs = set()
    for axis in (2, 3):
        along = np.moveaxis(label, axis, 0)
        touching = np.stack([along[:-1].ravel(), along[1:].ravel()])
        pairs |= {(*sorted(pair),) for pair in np.unique(touching, axis=1).T if min(pair) > 0}
    lights = [light(colour) for colour in slices.STRUCTURES]
    apart = [abs(lights[i - 1] - lights[j - 1]) for i, j in pairs if i != j]
    assert len(apart) >= 7
    assert min(apart) > 12.5


def test_every_structure_has_an_outline() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 3:] = 1
    mask[:, 6:] = 2
    edge = slices._edge(mask)
    assert edge.any(axis=0).nonzero()[0].tolist() == [2, 5]


def test_structures_have_colours_and_the_truth_is_dashed() -> None:
    mask = np.zeros((8, 12), np.uint8)
    mask[:, 4:8], mask[:, 8:] = 1, 2
    plane = np.full((8, 12), 100, np.uint8)
    seen = slices.coloured(plane, mask, scale=2)
    assert seen.shape == (16, 24, 3)
    for column, colour in ((12, slices.STRUCTURES[0]), (20, slices.STRUCTURES[1])):
        wanted = 0.4 * 100 + 0.6 * np.array(slices.rgb(colour))
        np.testing.assert_allclose(seen[8, column], wanted, atol=1)
    assert (seen[:, :8] == 100).all()  # background stays grey
    dashed = (slices.coloured(plane, None, mask) == 255).all(axis=2)
    assert dashed[:, 12:20].any()  # between background and the first, and between the two
    assert dashed[:, 24:40].any()
    many = np.full((8, 8), len(slices.STRUCTURES) + 1, np.uint8)
    assert (
        slices.coloured(plane[:, :8], many) == slices.coloured(plane[:, :8], many // many)
    ).all()


def test_a_slice_of_one_structure_is_outlined_and_of_several_coloured() -> None:
    subject = toy_subject()
    label = subject.label[4]
    plane = slices.grey(slices.upright(subject.image[0, 4], subject.affine))
    hung = slices.upright(label, subject.affine)
    for structures, draw in ((1, slices.outlined), (7, slices.coloured)):
        picture = slices.slice_picture(subject, 0, 4, label, label, structures)
        np.testing.assert_array_equal(picture, draw(plane, hung, hung))
    assert slices.structures_of(subject, 4, 1).shape == (96, 96, 3)
    shown = slices.structures_of(subject, 4, 1, subject.label)
    assert (shown == 255).all(axis=2).any()
    with pytest.raises(Problem, match="toy: has no label"):
        slices.structures_of(subject.without_label(), 4)


def test_encoded_comes_back() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(slices.encoded(picture)))), picture
    )


def test_encoded_can_be_enlarged() -> None:
    picture = np.zeros((4, 8), np.uint8)
    assert Image.open(io.BytesIO(slices.encoded(picture, (32, 16)))).size == (32, 16)


def test_errors_tell_hits_misses_and_false_alarms_apart() -> None:
    truth, prediction = np.array([[1, 1, 0, 0]]), np.array([[1, 0, 1, 0]])
    plane = np.full((1, 4), 9, np.uint8)
    shown = slices.errors(prediction, truth, plane)[0].tolist()
    wanted = [slices.ERRORS[name] for name in ("hit", "missed", "false alarm")]
    assert shown == [*(list(slices.rgb(colour)) for colour in wanted), [9, 9, 9]]


def test_a_structure_called_another_one_is_a_false_alarm() -> None:
    shown = slices.errors(np.array([[2, 1]]), np.array([[1, 1]]))[0].tolist()
    wanted = [slices.ERRORS[name] for name in ("false alarm", "hit")]
    assert shown == [list(slices.rgb(colour)) for colour in wanted]


def test_a_slice_shows_the_errors_of_a_prediction() -> None:
    subject = toy_subject()
    assert slices.slice_of(subject, 4, 1).shape == (32, 32)
    assert slices.slice_of(subject, 4, 1, subject.label).shape == (32, 32, 3)
    with pytest.raises(Problem, match="toy: has no label"):
        slices.slice_of(subject.without_label(), 4, 1, subject.label)
