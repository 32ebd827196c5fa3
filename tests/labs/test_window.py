"""The window lab: what the window, the dose and the contrast phase change."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cdseg_teach.anatomy import HEART_GRID, heart_subjects
from cdseg_teach.labs.window import DOSES, TISSUES, WINDOWS, WindowLab, WindowView
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import HEART_CT, CtScanner

MAPS = heart_subjects([1])


@pytest.fixture
def lab() -> WindowLab:
    return WindowLab(MAPS, seed=1)


def test_opens_with_the_studys_window_on_the_slice_with_most_heart(lab: WindowLab) -> None:
    assert lab.scanner == HEART_CT
    areas = (MAPS.label()[0] > 0).sum(dim=(1, 2))
    assert areas[lab.z] == areas.max()
    assert lab.pixels.shape == HEART_GRID.shape[1:]
    with pytest.raises(Problem, match="slice"):
        WindowLab(MAPS, z=16)


def test_a_window_is_black_below_and_white_above(lab: WindowLab) -> None:
    hu, _ = lab.tissues["myocardium"]
    for level, seen in ((hu + 100, 0.0), (hu, 0.5), (hu - 100, 1.0)):
        lab.look(level, 200)
        assert lab.tissues["myocardium"] == (hu, pytest.approx(seen))
    assert (lab.pixels == 255).any()
    before = lab.scanner
    for level, width, said in (
        (0, 0, "width 0 HU"),
        (2000, 400, "level 2000 HU is out of range; choose from -1000 to 1000"),
        (0, float("nan"), "width"),
    ):
        with pytest.raises(Problem, match=said):
            lab.look(level, width)
    assert lab.scanner == before


def test_only_a_scan_renders(lab: WindowLab, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[str] = []

    def rendered(self: WindowLab, scanner: CtScanner) -> torch.Tensor:
        times.append(scanner.phase)
        return torch.rand(HEART_GRID.shape[1:])

    monkeypatch.setattr(WindowLab, "_rendered", rendered)
    view = WindowView(lab)
    view.level.value, view.width.value = 100, 500
    assert times == []
    view.phase.value = "unenhanced"
    assert times == ["unenhanced"] * 2  # with noise and without
    view.widget.close()


def test_without_contrast_blood_and_muscle_cannot_be_told_apart(lab: WindowLab) -> None:
    def contrast() -> float:
        return abs(lab.tissues["blood, left"][0] - lab.tissues["myocardium"][0])

    assert contrast() > 200
    lab.scan(phase="unenhanced")
    assert contrast() < 10
    lab.scan(phase="no chaser")
    assert lab.tissues["blood, right"][0] > lab.tissues["blood, left"][0]


def test_noise_doubles_when_the_dose_is_quartered(lab: WindowLab) -> None:
    noise = []
    for dose in DOSES[:5:2]:
        lab.scan(dlp_mgy_cm=dose)
        noise.append(lab.noise_hu)
    np.testing.assert_allclose(np.divide(noise[1:], noise[:-1]), 2, rtol=1e-3)


def test_controls_change_the_lab_and_what_is_seen(lab: WindowLab) -> None:
    view = WindowView(lab)
    seen = {view.picture.value}
    for act in (
        view.buttons[[*WINDOWS].index("soft tissue")].click,
        lambda: setattr(view.level, "value", -600),
        lambda: setattr(view.width, "value", 1500),
        lambda: setattr(view.phase, "value", "unenhanced"),
        lambda: setattr(view.dose, "value", DOSES[-1]),
    ):
        before = view.picture.value
        act()
        assert view.picture.value != before
        seen.add(view.picture.value)
    assert len(seen) == 6
    assert repr(lab) == "WindowLab(unenhanced, 0.762 mGy·cm, level -600 HU, width 1500 HU)"
    assert "unenhanced, level -600 HU, width 1500 HU" in view.picture.alt
    assert "0.762 mGy·cm, about 0.011 mSv" in view.status.value
    assert view.table.value.count("<tr>") == len(TISSUES)
    view.widget.close()


def test_the_still_picture_says_what_it_shows(lab: WindowLab) -> None:
    data, metadata = lab._repr_mimebundle_()
    words = metadata["image/png"]["alt"]
    assert "blood, left 327 HU" in words
    assert "level 200 HU, width 800 HU" in data["text/plain"]
    lab.widget.close()
