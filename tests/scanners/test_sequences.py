import dataclasses
import math

import pytest

from cdseg_teach.problems import Problem
from cdseg_teach.scanners import BalancedSsfp, GradientEcho, Mprage, SpinEcho, mr, tissue_values
from cdseg_teach.scanners.sequences import interpolate_sequences

PD = SpinEcho("PD", tr_ms=2700, te_ms=26, slice_mm=3, snr=50)
GE = GradientEcho("GE", tr_ms=573, te_ms=16, flip_deg=18, slice_mm=4, snr=50)
SWI = GradientEcho("SWI", tr_ms=30, te_ms=17, flip_deg=13, mask_power=4, slice_mm=2, snr=65)
MPRAGE = Mprage(
    "T1", tr_ms=2250, te_ms=3, ti_ms=900, flip_deg=9, pulses=176, spacing_ms=7, slice_mm=1, snr=50
)


def test_the_ends_of_the_dial_are_the_sequences_themselves():
    assert interpolate_sequences(GE, SWI, 0) is GE
    assert interpolate_sequences(GE, SWI, 1) is SWI


def test_halfway_every_number_is_the_mean():
    half = interpolate_sequences(GE, SWI, 0.5)
    for field in ("tr_ms", "te_ms", "flip_deg", "mask_power", "slice_mm", "snr"):
        mean = (getattr(GE, field) + getattr(SWI, field)) / 2
        assert getattr(half, field) == pytest.approx(mean)


def test_the_name_tells_both_ends_when_they_differ():
    assert interpolate_sequences(GE, SWI, 0.5).name == "GE-SWI"
    assert interpolate_sequences(PD, dataclasses.replace(PD, te_ms=97), 0.5).name == "PD"


def test_pulses_stay_a_whole_number():
    fewer = dataclasses.replace(MPRAGE, pulses=161)
    assert interpolate_sequences(MPRAGE, fewer, 0.5).pulses in (168, 169)
    assert isinstance(interpolate_sequences(MPRAGE, fewer, 0.3).pulses, int)


def test_without_noise_at_both_ends_there_is_none_between():
    ideal, other = (dataclasses.replace(s, snr=math.inf) for s in (GE, SWI))
    assert interpolate_sequences(ideal, other, 0.5).snr == math.inf


def test_no_dial_between_kinds():
    with pytest.raises(Problem, match="PD and GE"):
        interpolate_sequences(PD, GE, 0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"tr_ms": 26.0},
        {"tr_ms": 10.0},
        {"te_ms": 0.0},
        {"te_ms": math.nan},
        {"slice_mm": 0.0},
        {"snr": 0.0},
        {"snr": math.nan},
    ],
)
def test_impossible_sequences_are_refused_by_name(change):
    with pytest.raises(Problem, match="PD"):
        dataclasses.replace(PD, **change)


@pytest.mark.parametrize("change", [{"ti_ms": 500}, {"ti_ms": 2000}, {"pulses": 400}])
def test_an_mprage_train_fits_between_inversions(change):
    with pytest.raises(Problem, match="the train needs"):
        dataclasses.replace(MPRAGE, **change)


SSFP = BalancedSsfp("MR", tr_ms=3.3, te_ms=1.6, flip_deg=60, slice_mm=8, snr=65)


@pytest.mark.parametrize("error", [-1.0, math.inf, math.nan])
def test_an_impossible_field_error_is_refused(error):
    with pytest.raises(Problem, match="MR: off-resonance"):
        dataclasses.replace(SSFP, off_resonance_hz=error)


def test_fat_at_its_own_frequency_is_as_bright_as_on_resonance():
    fat = tissue_values(["fat"], 1.5)
    own = SSFP.signal(fat, -3.4 * 1.5 * mr.GAMMA_MHZ_PER_TESLA)
    assert (own / SSFP.signal(fat)).item() == pytest.approx(1.02, abs=0.01)


def test_signal_has_the_shape_of_the_values():
    values = tissue_values(["grey", "white"], 3.0)
    assert all(s.signal(values).shape == (2,) for s in (PD, GE, MPRAGE, SSFP))
