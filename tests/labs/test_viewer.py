"""Leafing through a volume."""

from __future__ import annotations

import numpy as np
import pytest
from toy import toy_subject

from cdseg_teach.labs.viewer import SliceViewer
from cdseg_teach.problems import Problem


def test_controls_change_what_is_seen() -> None:
    subject = toy_subject()
    viewer = SliceViewer(subject, subject.label, ("one", "two"))
    controls, image, _ = viewer.widget.children
    z, channel, overlay = controls.children
    seen = [image.value]
    z.value = 0
    seen.append(image.value)
    channel.value = 1
    seen.append(image.value)
    z.value = int(np.argmax(subject.label.sum(axis=(1, 2))))
    seen.append(image.value)
    overlay.value = False
    seen.append(image.value)
    assert len(set(seen)) == 5
    assert image.alt == f"two, slice {z.value} of subject toy, without outlines."
    assert repr(viewer) == f"SliceViewer(toy, two, slice {z.value})"


def test_opens_on_the_largest_structure_and_without_a_label_in_the_middle() -> None:
    subject = toy_subject()
    areas = subject.label.sum(axis=(1, 2))
    assert areas[SliceViewer(subject).z] == areas.max()
    assert SliceViewer(subject.without_label()).z == 4


def test_a_prediction_of_another_grid_is_a_problem() -> None:
    with pytest.raises(Problem, match=r"toy: prediction of shape \(2, 2, 2\)"):
        SliceViewer(toy_subject(), np.zeros((2, 2, 2), np.uint8))


def test_several_structures_have_colours_and_names() -> None:
    subject = toy_subject()
    viewer = SliceViewer(subject, subject.label, structures=("LV", "RV"))
    assert (viewer.picture() != SliceViewer(subject, subject.label).picture()).any()
    assert "<b>RV</b>" in viewer.widget.children[2].value
    assert "prediction (in colour)" in viewer.still()[1]
