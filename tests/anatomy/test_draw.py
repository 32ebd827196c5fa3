import pytest
import torch

from cdseg_teach.anatomy.draw import generators, normal, smooth_field, subject_seed, uniform

SHAPE, SPACING = (12, 32, 40), (4.0, 2.0, 2.0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: normal((5,), g),
        lambda g: uniform(-1.0, 3.0, (5,), g),
        lambda g: smooth_field(SHAPE, SPACING, 20.0, g, channels=2),
    ],
    ids=["normal", "uniform", "smooth_field"],
)
def test_a_subject_does_not_depend_on_who_is_beside_it(draw):
    together = draw(generators([5, 6, 7]))
    torch.testing.assert_close(together[1:2], draw(generators([6])))
    assert not torch.equal(together[0], together[1])


def test_normal_and_uniform_have_their_moments():
    standard = normal((20_000,), generators([0]))
    assert standard.mean().item() == pytest.approx(0, abs=0.03)
    assert standard.std().item() == pytest.approx(1, abs=0.03)
    flat = uniform(-1.0, 3.0, (20_000,), generators([0]))
    assert flat.min() >= -1
    assert flat.max() < 3
    assert flat.mean().item() == pytest.approx(1, abs=0.05)


def test_smooth_fields_have_unit_deviation_and_no_mean_over_many_subjects():
    fields = smooth_field(SHAPE, SPACING, 20.0, generators(range(200)))
    assert fields.shape == (200, 1, *SHAPE)
    torch.testing.assert_close(fields.flatten(1).std(1), torch.ones(200))
    assert fields.mean().abs() < 0.05


def test_a_longer_wavelength_is_smoother():
    def roughness(wavelength_mm):
        field = smooth_field(SHAPE, SPACING, wavelength_mm, generators(range(5)))
        return field.diff(dim=-1).abs().mean()

    assert roughness(8.0) > 2 * roughness(40.0)


def test_seeds_of_subjects_differ_and_repeat():
    paths = [("source", "train", i) for i in range(50)] + [
        ("target", "train", i) for i in range(50)
    ]
    seeds = {subject_seed(0, *path) for path in paths} | {subject_seed(1, *p) for p in paths}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert subject_seed(3, "ab", "c") != subject_seed(3, "a", "bc")
