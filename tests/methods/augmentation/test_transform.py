"""What holds for every transform."""

from dataclasses import replace

import pytest
import torch

from cdseg_teach.methods.augmentation import (
    GIN,
    ORDINARY,
    RANDOM_NETWORKS,
    SYNTHETIC,
    BiasField,
    Fourier,
    Gamma,
    Inversion,
    LowResolution,
    Noise,
    Stack,
    Synthesis,
)
from cdseg_teach.methods.augmentation.transform import (
    foreground,
    moments,
    of_slices,
    unit_range,
    with_moments_of,
)

OTHERS = torch.randn(3, 2, 24, 20, generator=torch.Generator().manual_seed(1))
ALONE = [
    Gamma(),
    Inversion(),
    BiasField(),
    Noise(),
    LowResolution(),
    Fourier(OTHERS),
    GIN(),
    Synthesis(),
]
ALL = [*ALONE, ORDINARY, RANDOM_NETWORKS, SYNTHETIC]


def name(transform):
    return type(transform).__name__


def harmless(transform):
    return replace(transform, **{"radius" if name(transform) == "Fourier" else "strength": 0})


@pytest.mark.parametrize("transform", ALONE, ids=name)
def test_strength_zero_changes_nothing_bit_for_bit(transform, slices, draws):
    images, labels = slices
    assert torch.equal(harmless(transform)(images, draws, labels), images)
    stack = Stack(((harmless(transform), 1.0),) * 2)
    assert torch.equal(stack(images, draws, labels), images)


@pytest.mark.parametrize("transform", ALL, ids=name)
def test_the_same_parameters_give_the_same_images_and_keep_what_they_were_given(
    transform, slices, draws
):
    images, labels = slices
    before = images.clone()
    parameters = transform.draw(images.shape, draws)
    once = transform.apply(images, parameters, labels)
    assert torch.equal(once, transform.apply(images, parameters, labels))
    assert torch.equal(images, before)
    assert not torch.equal(once, images)
    assert once.shape == images.shape
    assert once.dtype == images.dtype
    assert once.isfinite().all()


@pytest.mark.parametrize("transform", ALL, ids=name)
def test_same_seed_same_images_and_another_seed_others(transform, slices):
    images, labels = slices
    before = torch.get_rng_state()
    a, b, c = (transform(images, torch.Generator().manual_seed(s), labels) for s in (3, 3, 5))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("transform", ALL, ids=name)
def test_a_slice_does_not_depend_on_its_batch(transform, slices, draws):
    images, labels = slices
    parameters = transform.draw(images.shape, draws)
    together = transform.apply(images, parameters, labels)
    for i in range(len(images)):
        only = torch.tensor([i])
        alone = transform.apply(images[only], of_slices(parameters, only), labels[only])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("transform", ALL, ids=name)
def test_nothing_appears_outside_the_foreground(transform, slices, draws):
    images, labels = slices
    outside = ~foreground(images).expand_as(images)
    assert outside.any()
    assert (transform(images, draws, labels)[outside] == 0).all()


@pytest.mark.parametrize("transform", ALL, ids=name)
def test_nothing_is_learned_through_it(transform, slices, draws):
    images, labels = slices
    assert not transform(images.requires_grad_(), draws, labels).requires_grad


@pytest.mark.parametrize("transform", ALL, ids=name)
def test_an_empty_slice_stays_empty(transform, draws):
    images, labels = torch.zeros(2, 2, 24, 20), torch.zeros(2, 24, 20, dtype=torch.long)
    assert (transform(images, draws, labels) == 0).all()


def test_moments_and_range_are_the_foregrounds(slices):
    images, _ = slices
    inside = foreground(images)
    values = images[:, :, inside[0, 0]]
    mean, std = moments(images, inside)
    torch.testing.assert_close(mean[..., 0, 0], values.mean(-1), rtol=0, atol=1e-5)
    torch.testing.assert_close(std[..., 0, 0], values.std(-1, unbiased=False))
    unit = unit_range(images)[:, :, inside[0, 0]]
    assert (unit.amin(-1) == 0).all()
    assert (unit.amax(-1) == 1).all()
    restored = torch.where(inside, with_moments_of(images, 5 * images + 3), 0)
    torch.testing.assert_close(restored, images)
