"""What a cardiologist knows of MR and CT, asked of the equations and of rendered chests."""

import dataclasses
import math

import pytest
import torch
from chest import TISSUES, chest, pure

from cdseg_teach.problems import Problem
from cdseg_teach.scanners import (
    DATA_SET_1,
    DATA_SET_2,
    HEART_CT,
    HEART_MR,
    Scanner,
    interpolate,
    render,
    tissue_values,
    without_artefacts,
)

SSFP = HEART_MR.sequences[0]


@pytest.fixture(scope="module")
def maps():
    return chest(2)


def with_sequence(**changes):
    return dataclasses.replace(HEART_MR, sequences=(dataclasses.replace(SSFP, **changes),))


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_order_of_tissues_in_balanced_ssfp(field):
    signal = SSFP.signal(tissue_values(TISSUES, field))
    s = dict(zip(TISSUES, signal.tolist(), strict=True))
    assert s["left_blood"] > 2.5 * s["myocardium"], "blood is bright"
    assert s["left_blood"] > s["right_blood"] > 2 * s["myocardium"], "less oxygen, a shorter T2"
    assert s["fat"] > s["left_blood"], "fat is the brightest"
    assert s["muscle"] < s["myocardium"]
    assert s["lung"] < 0.1 * s["left_blood"]
    assert s["cortical_bone"] < 0.02 * s["left_blood"]
    assert s["liver"] < s["left_blood"]


def test_the_snr_of_blood_is_that_of_the_measured_contrast_to_noise_ratio():
    blood, muscle = SSFP.signal(tissue_values(["left_blood", "myocardium"], 1.5)).tolist()
    assert SSFP.snr == pytest.approx(43.8 / (1 - muscle / blood), abs=0.5)


def test_what_is_bright_in_one_modality_is_dark_in_the_other(maps):
    mr, ct = (
        render(maps, without_artefacts(scanner), [1, 2], spread=0.0)[:, 0]
        for scanner in (HEART_MR, HEART_CT)
    )

    def mean(image, tissue):
        return image[pure(maps, tissue)].mean().item()

    assert mean(mr, "fat") > mean(mr, "left_blood") > mean(mr, "muscle")
    assert mean(ct, "fat") < mean(ct, "muscle") < mean(ct, "left_blood")
    assert mean(mr, "cortical_bone") < mean(mr, "marrow")
    assert mean(ct, "cortical_bone") > mean(ct, "marrow")
    assert mean(mr, "lung") < mean(mr, "muscle")
    assert mean(ct, "lung") < mean(ct, "muscle")


def test_noise_has_the_level_that_the_protocol_says(maps):
    noisy = dataclasses.replace(with_sequence(snr=20.0), bias=0.0)
    image, clean = (render(maps, s, [1, 2], spread=0.0) for s in (noisy, without_artefacts(noisy)))
    blood = pure(maps, "left_blood")[:, None]
    sigma = (image - clean)[blood].std().item()
    assert clean[blood].mean().item() / sigma == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("scanner", [HEART_MR, HEART_CT], ids=lambda s: s.name)
def test_a_subject_looks_the_same_whatever_is_beside_it(maps, scanner):
    together = render(maps, scanner, [1, 2])
    alone = render(chest(1), scanner, [2])
    torch.testing.assert_close(together[1:], alone, rtol=1e-5, atol=1e-3)


def test_a_perfect_field_has_no_bands_and_a_small_error_hardly_any(maps):
    ideal = without_artefacts(HEART_MR)
    even = render(maps, ideal, [1, 2], spread=0.0)
    blood = pure(maps, "left_blood")[:, None]
    assert even[blood].std() < 1e-6
    almost = render(maps, without_artefacts(with_sequence(off_resonance_hz=1.0)), [1, 2], spread=0)
    torch.testing.assert_close(almost, even, rtol=0.01, atol=1e-5)


def test_a_poor_shim_draws_dark_bands_through_blood(maps):
    banded = render(
        maps, without_artefacts(with_sequence(off_resonance_hz=150.0)), [1, 2], spread=0
    )
    even = render(maps, without_artefacts(HEART_MR), [1, 2], spread=0.0)
    bright = (pure(maps, "left_blood") | pure(maps, "fat"))[:, None]
    ratio = (banded / even)[bright]
    assert ratio.min() < 0.4
    assert ratio.median() > 0.8, "bands, not a darker image"


def test_no_dial_between_modalities():
    for pair in ((HEART_MR, HEART_CT), (HEART_CT, HEART_MR), (HEART_CT, HEART_CT)):
        with pytest.raises(Problem, match="between two MR scanners"):
            interpolate(*pair, 0.5)


def test_a_phase_mask_needs_veins(maps):
    with pytest.raises(Problem, match="SWI: a phase mask needs veins"):
        render(maps, DATA_SET_2, [1, 2])
    plain = Scanner("no SWI", 1.5, DATA_SET_1.sequences, bias=0.0)
    assert torch.isfinite(render(maps, plain, [1, 2])).all()


def test_ideal_scanners_have_no_noise():
    assert without_artefacts(HEART_CT).noise_hu == 0
    assert without_artefacts(HEART_MR).sequences[0].snr == math.inf
