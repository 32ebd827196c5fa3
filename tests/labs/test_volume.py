"""A volume in three planes."""

from __future__ import annotations

import sys
import types

import ipywidgets as w
import nibabel as nib
import numpy as np
import pytest
from toy import toy_subject

from cdseg_teach.labs.volume import COLOURS, VolumeViewer
from cdseg_teach.slices import WINDOW


class Widget(w.HTML):
    """Stands for niivue's widget: what it is told, and whether it is alive."""

    def __init__(self, height: int) -> None:
        super().__init__()
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


def view_of(viewer: VolumeViewer) -> Widget:
    return viewer.widget.children[0]


def test_image_and_masks_lie_where_the_subject_lies(niivue) -> None:
    subject = toy_subject()
    view = view_of(VolumeViewer(subject, np.zeros_like(subject.label)))
    image, prediction, truth = (nib.load(told["path"]) for told in view.volumes)
    assert [told["path"].name for told in view.volumes][1:] == ["prediction.nii.gz", "truth.nii.gz"]
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, subject.image[0])
    np.testing.assert_array_equal(np.asarray(truth.dataobj).T, subject.label)
    assert not np.asarray(prediction.dataobj).any()
    for volume in (image, prediction, truth):
        np.testing.assert_allclose(volume.affine, subject.affine)


def test_without_a_label_there_is_the_image_alone(niivue) -> None:
    view = view_of(VolumeViewer(toy_subject().without_label()))
    assert [told["path"].name for told in view.volumes] == ["image.nii.gz"]


def test_one_is_alive_at_a_time_and_the_files_of_others_are_gone(niivue) -> None:
    first, second = (view_of(VolumeViewer(toy_subject())) for _ in range(2))
    assert (first.closed, second.closed) == (True, False)
    there = [view.volumes[0]["path"].parent.exists() for view in (first, second)]
    assert there == [False, True]


def test_air_is_darker_than_all_else(niivue) -> None:
    subject = toy_subject()
    subject.image[:, 0] = 0  # outside
    subject.image[0, 1, 0, 0] = 0  # a voxel of tissue that is at the mean in one channel
    (told, *_) = view_of(VolumeViewer(subject)).volumes
    shown = np.asarray(nib.load(told["path"]).dataobj).T
    assert (told["cal_min"], told["cal_max"]) == WINDOW
    assert (shown[0] == WINDOW[0]).all()
    np.testing.assert_array_equal(shown[1:], subject.image[0, 1:])


def test_the_canvas_has_a_name_and_the_text_says_how_to_move(niivue) -> None:
    viewer = VolumeViewer(toy_subject(), channels=("one", "two"))
    _, name, text = viewer.widget.children
    assert name.name.startswith("toy, one, in three planes")
    assert "truth blue" in text.value.lower()
    assert "prediction" not in text.value.lower()
    assert "C cuts" in text.value
    assert "C cuts" in name.name


def test_niivue_knows_the_colours() -> None:
    known = pytest.importorskip("ipyniivue").NiiVue().colormaps()
    assert set(COLOURS.values()) <= set(known)


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
