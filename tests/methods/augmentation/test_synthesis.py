import pytest
import torch

from cdseg_teach.methods.augmentation import SYNTHETIC, Synthesis
from cdseg_teach.methods.augmentation.synthesis import _classes
from cdseg_teach.methods.augmentation.transform import foreground, moments
from cdseg_teach.problems import Problem


def test_each_class_has_the_mean_and_spread_that_were_drawn(draws):
    images = torch.randn(1, 1, 200, 200, generator=draws)
    labels = torch.randint(3, (1, 200, 200), generator=draws)
    synthesis = Synthesis()
    parameters = synthesis.draw(images.shape, draws)
    painted = synthesis.apply(images, parameters, labels)[0, 0]
    classes = _classes(images, parameters, labels)[0]
    # Normalisation is one straight line for all classes: two of them fix it.
    means = parameters["means"][0, 0]
    seen = classes.unique().tolist()
    assert {5, 6} < set(seen)
    found = torch.stack([painted[classes == k].mean() for k in (5, 6)])
    slope = (found[1] - found[0]) / (means[6] - means[5])
    for k in seen:
        values = painted[classes == k]
        expected = found[0] + slope * (means[k] - means[5])
        assert abs(values.mean() - expected) < 0.1
        torch.testing.assert_close(
            values.std(), slope.abs() * parameters["spreads"][0, 0, k], rtol=0.15, atol=0
        )


def test_it_is_normalised_over_the_foreground(slices, draws):
    images, labels = slices
    painted = Synthesis()(images, draws, labels)
    mean, std = moments(painted, foreground(images))
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-5, rtol=0)
    torch.testing.assert_close(std, torch.ones_like(std), atol=1e-4, rtol=0)


def test_the_background_is_cut_at_the_thresholds_and_labels_are_classes_of_their_own():
    images = torch.linspace(-2, 2, 41).expand(1, 1, 5, 41).clone()
    labels = torch.zeros(1, 5, 41, dtype=torch.long)
    labels[:, 0] = 3
    drawn = {"channel": torch.tensor([0]), "thresholds": torch.tensor([[1.05, -1.05, 0.05, 9.0]])}
    classes = _classes(images, drawn, labels)[0]
    assert (classes[0] == 3 + 4).all()
    # In the middle row the average over 3x3 pixels is the pixel itself.
    assert classes[2].tolist() == [0] * 10 + [1] * 11 + [2] * 10 + [3] * 10


def test_of_the_image_only_the_cuts_are_used(slices, draws):
    images, labels = slices
    synthesis = Synthesis()
    parameters = synthesis.draw(images.shape, draws) | {"thresholds": torch.full((4, 4), 50.0)}
    painted = synthesis.apply(images, parameters, labels)
    assert torch.equal(painted, synthesis.apply(3 * images + (images != 0), parameters, labels))


def test_it_needs_labels_that_it_knows(slices, draws):
    images, labels = slices
    with pytest.raises(Problem, match="labels"):
        SYNTHETIC(images, draws)
    with pytest.raises(Problem, match=r"label 2 .*structures=1"):
        Synthesis(structures=1)(images, draws, labels)
