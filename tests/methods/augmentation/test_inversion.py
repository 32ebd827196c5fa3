import torch

from cdseg_teach.methods.augmentation import Inversion


def test_twice_is_never(slices, draws):
    images, _ = slices
    inversion = Inversion()
    parameters = inversion.draw(images.shape, draws)
    once = inversion.apply(images, parameters)
    assert torch.equal(inversion.apply(once, parameters), images)
    assert torch.equal(once, torch.where(parameters["inverted"][..., None, None], -1, 1) * images)


def test_strength_one_inverts_everything(slices, draws):
    images, _ = slices
    assert torch.equal(Inversion(strength=1.0)(images, draws), -images)
