"""A volume in three planes."""

from __future__ import annotations

import sys
import types

import nibabel as nib
import numpy as np
import pytest
from toy import toy_subject

from cdseg_teach.labs.volume import VolumeViewer


class Widget:
    """Stands for niivue's widget: what it is told, and whether it is alive."""

    model_id = "one"

    def __init__(self, height: int) -> None:
        self.closed, self.opts = False, types.SimpleNamespace()

    def load_volumes(self, volumes: list[dict]) -> None:
        self.volumes = volumes

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def niivue(monkeypatch) -> None:
    module = types.ModuleType("ipyniivue")
    module.NiiVue = Widget
    module.ShowRender = types.SimpleNamespace(ALWAYS="always")
    monkeypatch.setitem(sys.modules, "ipyniivue", module)
    monkeypatch.setattr(VolumeViewer, "_alive", None)


def test_image_and_masks_lie_where_the_subject_lies(niivue) -> None:
    subject = toy_subject()
    view = VolumeViewer(subject, np.zeros_like(subject.label)).widget
    image, prediction, truth = (nib.load(told["path"]) for told in view.volumes)
    assert [told["path"].name for told in view.volumes][1:] == ["prediction.nii.gz", "truth.nii.gz"]
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, subject.image[0])
    np.testing.assert_array_equal(np.asarray(truth.dataobj).T, subject.label)
    assert not np.asarray(prediction.dataobj).any()
    for volume in (image, prediction, truth):
        np.testing.assert_allclose(volume.affine, subject.affine)


def test_without_a_label_there_is_the_image_alone(niivue) -> None:
    view = VolumeViewer(toy_subject().without_label()).widget
    assert [told["path"].name for told in view.volumes] == ["image.nii.gz"]


def test_one_is_alive_at_a_time(niivue) -> None:
    first, second = (VolumeViewer(toy_subject()).widget for _ in range(2))
    assert (first.closed, second.closed) == (True, False)


def test_what_is_stored_is_a_still_slice_and_a_line(niivue) -> None:
    viewer = VolumeViewer(toy_subject(), channels=("one", "two"))
    data, about = viewer._repr_mimebundle_()
    assert data["text/plain"] == "VolumeViewer(toy, one)"
    assert about["image/png"]["alt"].startswith("one, slice ")


def test_without_the_package_it_is_a_slice_viewer(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ipyniivue", None)
    controls, image, _ = VolumeViewer(toy_subject()).widget.children
    assert image.alt
    assert controls.children[0].description == "Slice"
