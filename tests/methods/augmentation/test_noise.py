import torch

from cdseg_teach.methods.augmentation import Noise
from cdseg_teach.methods.augmentation.transform import foreground


def test_it_adds_what_it_drew_inside_the_foreground(slices, draws):
    images, _ = slices
    noise = Noise()
    parameters = noise.draw(images.shape, draws)
    added = noise.apply(images, parameters) - images
    torch.testing.assert_close(added, parameters["noise"] * foreground(images))


def test_its_spread_is_uniform_up_to_the_strength(draws):
    sigma = Noise(strength=0.3).draw((2000, 1, 16, 16), draws)["noise"].std(dim=(2, 3))
    assert abs(sigma.mean() - 0.15) < 0.01
    assert sigma.max() < 0.35
