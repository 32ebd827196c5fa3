import dataclasses
import math

import pytest
import torch

from cdseg_teach.anatomy import Grid, brain_subjects
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import (
    DATA_SET_1,
    DATA_SET_2,
    SCANNERS,
    Scanner,
    interpolate,
    render,
    without_artefacts,
)

GRID = Grid(shape=(8, 48, 48), spacing_mm=(12.0, 4.0, 4.0))


@pytest.fixture(scope="module")
def maps():
    return brain_subjects([3, 4], GRID)


def alone(maps, i):
    return dataclasses.replace(maps, fractions=maps.fractions[i : i + 1])


def test_channels_of_the_two_data_sets():
    assert DATA_SET_1.channels == ("FLAIR", "PD", "MPRAGE", "T2", "GE")
    assert DATA_SET_2.channels == ("FLAIR", "PD", "MPRAGE", "T2", "SWI")
    assert SCANNERS["3 T Verio"] is DATA_SET_2


def test_shift_zero_is_the_identity(maps):
    unshifted = interpolate(DATA_SET_1, DATA_SET_2, 0.0)
    assert unshifted is DATA_SET_1
    assert torch.equal(render(maps, unshifted, [1, 2]), render(maps, DATA_SET_1, [1, 2]))


def test_shift_one_is_the_other():
    assert interpolate(DATA_SET_1, DATA_SET_2, 1.0) is DATA_SET_2


def test_numbers_move_monotonically(maps):
    between = [interpolate(DATA_SET_1, DATA_SET_2, s / 8) for s in range(9)]
    repetition = [s.sequences[4].tr_ms for s in between]
    assert repetition == sorted(repetition, reverse=True)
    assert [s.bias for s in between] == sorted(s.bias for s in between)
    assert between[4].name == "3 T TIM Trio to 3 T Verio, 0.50"


def test_the_image_moves_away_from_the_source_with_the_shift(maps):
    ideal = without_artefacts(DATA_SET_1), without_artefacts(DATA_SET_2)
    at = [render(maps, interpolate(*ideal, s), [1, 2], spread=0.0) for s in (0, 0.25, 0.5, 1)]
    distance = [(image - at[0])[:, 4].abs().mean().item() for image in at]
    assert distance == sorted(distance)
    assert distance[1] > 0


@pytest.mark.parametrize("shift", [-0.1, 1.1, math.nan])
def test_a_shift_off_the_dial_is_refused(shift):
    with pytest.raises(Problem, match=f"shift {shift}"):
        interpolate(DATA_SET_1, DATA_SET_2, shift)


def test_no_dial_between_other_numbers_or_kinds_of_channels():
    fewer = dataclasses.replace(DATA_SET_2, sequences=DATA_SET_2.sequences[:4])
    with pytest.raises(Problem, match="5 and 4 channels"):
        interpolate(DATA_SET_1, fewer, 0.5)
    turned = dataclasses.replace(DATA_SET_2, sequences=DATA_SET_2.sequences[::-1])
    with pytest.raises(Problem, match="different kinds"):
        interpolate(DATA_SET_1, turned, 0.5)


@pytest.mark.parametrize("bias", [-0.1, math.nan, math.inf])
def test_an_impossible_bias_is_refused(bias):
    with pytest.raises(Problem, match="bias"):
        Scanner("s", 3.0, DATA_SET_1.sequences, bias)


def test_a_rendering_is_float32_on_the_working_grid(maps):
    image = render(maps, DATA_SET_2, [1, 2])
    assert image.shape == (2, 5, *GRID.shape)
    assert image.dtype == torch.float32
    assert torch.isfinite(image).all()
    assert (image >= 0).all()


@pytest.mark.parametrize("scanner", [DATA_SET_1, DATA_SET_2], ids=lambda s: s.name)
def test_a_subject_looks_the_same_whatever_is_beside_it(maps, scanner):
    together = render(maps, scanner, [1, 2])
    for i, seed in enumerate([1, 2]):
        by_itself = render(alone(maps, i), scanner, [seed])
        torch.testing.assert_close(together[i : i + 1], by_itself, rtol=1e-5, atol=1e-6)


def test_the_same_seed_gives_the_same_image_and_another_seed_another(maps):
    image = render(maps, DATA_SET_1, [1, 2])
    assert torch.equal(image, render(maps, DATA_SET_1, [1, 2]))
    assert not torch.allclose(image, render(maps, DATA_SET_1, [1, 3]))


def test_without_spread_and_artefacts_no_number_is_drawn(maps):
    ideal = without_artefacts(DATA_SET_1)
    assert ideal.bias == 0
    one, other = (render(maps, ideal, seeds, spread=0.0) for seeds in ([1, 2], [5, 6]))
    assert torch.equal(one, other)
    assert not torch.allclose(one, render(maps, ideal, [1, 2]))


def test_noise_has_the_level_that_the_protocol_says(maps):
    sequence = dataclasses.replace(DATA_SET_1.sequences[1], snr=20.0)
    scanner = Scanner("noisy", 3.0, (sequence,), bias=0.0)
    clean, noisy = (
        render(maps, s, [1, 2], spread=0.0) for s in (without_artefacts(scanner), scanner)
    )
    white = maps.on_working_grid(maps["white"])[:, None] > 0.8
    sigma = (noisy - clean)[white].std().item()
    assert clean[white].mean().item() / sigma == pytest.approx(20, rel=0.1)


def test_one_seed_a_subject(maps):
    with pytest.raises(Problem, match="3 seeds for 2 subjects"):
        render(maps, DATA_SET_1, [1, 2, 3])


def test_field_strength_is_a_value_too(maps):
    weaker = dataclasses.replace(DATA_SET_1, field_tesla=1.5)
    image = render(maps, weaker, [1, 2])
    assert torch.isfinite(image).all()
    assert not torch.allclose(image, render(maps, DATA_SET_1, [1, 2]))
    with pytest.raises(Problem, match="field strength 20"):
        render(maps, dataclasses.replace(DATA_SET_1, field_tesla=20.0), [1, 2])
