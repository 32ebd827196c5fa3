"""Computed tomography: attenuation, windows, and what the photons leave of them."""

import dataclasses
import math

import pytest
import torch
from chest import TISSUES, chest, pure

from cdseg_teach.anatomy import Grid, brain_subjects
from cdseg_teach.anatomy.draw import generators
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import HEART_CT, render, window, without_artefacts
from cdseg_teach.scanners.ct import (
    ENHANCEMENT_HU,
    REFERENCE_WATER_MM,
    WATER_PER_MM,
    attenuation,
    quantum_noise,
)

GRID = Grid(shape=(8, 96, 96), spacing_mm=(8.0, 2.5, 2.5), centre_mm=(0.0, 0.0, 0.0), fine=1)
IDEAL = without_artefacts(HEART_CT)


def water(diameter_mm, subjects=2):
    """Cylinders along z in air, HU [N, 1, Z, Y, X]."""
    _, y, x = GRID.coordinates()
    disc = ((diameter_mm / 2 - torch.hypot(y, x)) / GRID.spacing_mm[1] + 0.5).clamp(0, 1)
    return (1000 * disc - 1000).expand(subjects, 1, -1, -1, -1)


def centre(image, half=4):
    return image[..., 48 - half : 48 + half, 48 - half : 48 + half]


@pytest.fixture(scope="module")
def maps():
    return chest(2)


@pytest.mark.parametrize("phase", ENHANCEMENT_HU)
def test_without_noise_and_spread_a_pure_voxel_has_the_tables_hu(maps, phase):
    scanner = dataclasses.replace(IDEAL, phase=phase)
    image = render(maps, scanner, [1, 2], spread=0.0)
    assert image.shape == (2, 1, *maps.grid.shape)
    assert image.dtype == torch.float32
    for tissue, hu in zip(TISSUES, attenuation(TISSUES, phase)[0].tolist(), strict=True):
        values = image[:, 0][pure(maps, tissue)]
        torch.testing.assert_close(values, torch.full_like(values, hu), rtol=0, atol=1e-3)
    assert image[:, 0][maps.fractions.sum(1)[:, ::2] == 0].unique().tolist() == [-1000]


def test_a_shared_voxel_has_the_mean_of_its_tissues_and_of_air(maps):
    fractions = torch.zeros_like(maps.fractions)
    fractions[:, TISSUES.index("left_blood")] = 0.5
    fractions[:, TISSUES.index("lung")] = 0.3
    image = render(dataclasses.replace(maps, fractions=fractions), IDEAL, [1, 2], spread=0.0)
    expected = 0.5 * 327 + 0.3 * -750 + 0.2 * -1000
    torch.testing.assert_close(image, torch.full_like(image, expected))


def test_a_phase_decides_which_heart_is_bright():
    def hu(phase):
        return dict(zip(TISSUES, attenuation(TISSUES, phase)[0].tolist(), strict=True))

    plain, coronary, long = (hu(phase) for phase in ("unenhanced", "coronary", "no chaser"))
    hearts = ("left_blood", "right_blood", "myocardium", "vessel_wall")
    assert max(plain[t] for t in hearts) - min(plain[t] for t in hearts) <= 10, "blood is invisible"
    assert coronary["left_blood"] > coronary["right_blood"] + 100 > coronary["myocardium"] + 100
    assert long["right_blood"] >= long["left_blood"]
    for values in (plain, coronary, long):
        assert values["lung"] < values["fat"] < 0 < values["liver"] < values["cortical_bone"]


def test_people_differ_by_the_tables_spread_and_a_subject_is_itself(maps):
    many = chest(40)
    image = render(many, IDEAL, range(40))[:, 0]
    blood = image[:, 0][:, pure(many, "left_blood")[0, 0]].mean(1)
    assert blood.mean().item() == pytest.approx(327, abs=30)
    assert blood.std().item() == pytest.approx(math.hypot(5, 0.2 * 287), rel=0.3)
    alone = render(chest(1), HEART_CT, [7])
    torch.testing.assert_close(render(maps, HEART_CT, [5, 7])[1:], alone, rtol=1e-5, atol=1e-3)


def test_the_same_seed_gives_the_same_image_and_another_seed_another(maps):
    image = render(maps, HEART_CT, [1, 2])
    assert torch.equal(image, render(maps, HEART_CT, [1, 2]))
    assert not torch.allclose(image, render(maps, HEART_CT, [1, 3]))


def test_noise_is_the_inverse_root_of_the_dose_and_leaves_the_mean(maps):
    clean = render(maps, IDEAL, [1, 2], spread=0.0)
    half, full = (
        render(maps, dataclasses.replace(HEART_CT, dlp_mgy_cm=dlp), [1, 2], spread=0.0) - clean
        for dlp in (100, 400)
    )
    torch.testing.assert_close(half, 2 * full, rtol=1e-3, atol=1e-2)
    blood = full[:, 0][pure(maps, "left_blood")]
    assert abs(blood.mean()) < blood.std() / math.sqrt(len(blood)) * 4


def test_noise_against_dose_is_what_was_measured():
    """Noise in the aorta at 100, 55, 40 and 25 % of the dose: Eur Radiol Exp 2018 2:30, table 2."""
    thin = Grid(shape=(8, 8, 8), spacing_mm=(0.9, 1.0, 1.0))
    for part, measured in ((1.0, 37.5), (0.55, 46.6), (0.40, 60.2), (0.25, 80.0)):
        scanner = dataclasses.replace(HEART_CT, dlp_mgy_cm=195 * part)
        assert scanner.noise_on(thin) == pytest.approx(measured, rel=0.1)


def test_noise_on_a_coarser_grid_follows_thickness_and_resolution():
    working = dataclasses.replace(GRID, spacing_mm=(8.0, 2.0, 2.0))
    coarse = dataclasses.replace(GRID, spacing_mm=(16.0, 4.0, 4.0))
    ratio = HEART_CT.noise_on(working) / HEART_CT.noise_on(coarse)
    assert ratio == pytest.approx(math.sqrt(2) * 2**1.5)
    thick = dataclasses.replace(HEART_CT, slice_mm=16.0)
    assert thick.noise_on(working) == pytest.approx(HEART_CT.noise_on(working) / math.sqrt(2))


@pytest.mark.parametrize("diameter_mm", [100, 160, 220])
def test_noise_at_the_centre_of_water_rises_with_the_photons_lost(diameter_mm):
    """All rays through the centre cross the diameter d, so σ² ∝ e^(μ d)."""
    noise = centre(quantum_noise(water(diameter_mm, 4), GRID, generators(range(4))))
    expected = math.exp(WATER_PER_MM * (diameter_mm - REFERENCE_WATER_MM) / 2)
    assert noise.std().item() == pytest.approx(expected, rel=0.1)


def test_noise_is_least_where_rays_are_short():
    noise = quantum_noise(water(220, 4), GRID, generators(range(4)))
    rim = noise[..., 44:52, 88:92]  # 100 to 110 mm from the centre
    assert rim.std() < 0.7 * centre(noise).std()


def test_noise_is_correlated_and_its_power_rises_with_frequency():
    noise = centre(quantum_noise(water(220, 8), GRID, generators(range(8))), half=16).double()
    power = torch.fft.fft2(noise).abs().square().mean((0, 1, 2))
    k = torch.fft.fftfreq(32)
    k = torch.hypot(k[:, None], k[None])
    at = [power[(k > low) & (k <= low + 0.05)].mean().item() for low in (0.0, 0.05, 0.1, 0.15)]
    assert at == sorted(at)
    assert at[3] > 2 * at[0], "a ramp, not white"
    diagonal = (noise[..., 1:, 1:] * noise[..., :-1, :-1]).mean() / noise.square().mean()
    assert diagonal < -0.05, "a ramp's neighbours repel each other"
    slices = (noise[:, :, 1:] * noise[:, :, :-1]).mean() / noise.square().mean()
    assert abs(slices) < 0.05, "slices have photons of their own"


def test_noise_streaks_along_the_most_opaque_rays():
    """Two rods of bone in water: between them, points along their line share their noise."""
    _, y, x = GRID.coordinates()
    rods = torch.hypot(y, x.abs() - 80) < 15
    hu = torch.where(rods, torch.tensor(1500.0), water(230, 8)).contiguous()
    noise = centre(quantum_noise(hu, GRID, generators(range(8))), half=8)
    along = (noise[..., :, 3:] * noise[..., :, :-3]).mean()
    across = (noise[..., 3:, :] * noise[..., :-3, :]).mean()
    assert along > across + 0.1 * noise.square().mean()


def test_dose():
    assert HEART_CT.effective_dose_msv == pytest.approx(2.73)
    assert HEART_CT.channels == ("CT",)


def test_a_window_clips_at_its_limits_and_is_linear_between():
    hu = torch.tensor([-3000.0, -200.0, 0.0, 200.0, 600.0, 3000.0])
    torch.testing.assert_close(window(hu, 200, 800), torch.tensor([0, 0, 0.25, 0.5, 1, 1]))
    assert torch.equal(window(hu, 40, 1), (hu > 40).float()), "a narrow one is a threshold"


@pytest.mark.parametrize(("level", "width"), [(0, 0), (0, -1), (0, math.inf), (math.nan, 1)])
def test_an_impossible_window_is_refused(level, width):
    with pytest.raises(Problem, match="window"):
        window(torch.zeros(1), level, width)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phase": "portal"}, "'portal'; choose one of unenhanced"),
        ({"dlp_mgy_cm": 0.0}, "mGy"),
        ({"dlp_mgy_cm": math.nan}, "mGy"),
        ({"slice_mm": -1.0}, "slice -1.0"),
        ({"noise_hu": -1.0}, "noise -1.0"),
        ({"noise_hu": math.inf}, "noise inf"),
        ({"width_hu": 0.0}, "window"),
    ],
)
def test_an_impossible_protocol_is_refused(change, message):
    with pytest.raises(Problem, match=message):
        dataclasses.replace(HEART_CT, **change)


def test_a_brain_has_no_hu():
    maps = brain_subjects([1], Grid(shape=(2, 16, 16), spacing_mm=(40.0, 12.0, 12.0)))
    with pytest.raises(Problem, match="'grey' has no HU"):
        render(maps, HEART_CT, [1])
