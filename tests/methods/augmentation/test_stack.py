import torch

from cdseg_teach.methods.augmentation import Gamma, Inversion, Noise, Stack


def test_transforms_follow_each_other(slices, draws):
    images, _ = slices
    stack = Stack(((Inversion(1.0), 1.0), (Noise(), 1.0)))
    parameters = stack.draw(images.shape, draws)
    expected = Noise().apply(-images, parameters["steps"][1])
    assert torch.equal(stack.apply(images, parameters), expected)


def test_a_probability_is_the_share_of_slices(draws):
    images = torch.ones(2000, 1, 2, 2)
    for probability in (0.0, 0.3, 1.0):
        changed = Stack(((Inversion(1.0), probability),))(images, draws)
        assert abs((changed[:, 0, 0, 0] < 0).float().mean() - probability) < 0.03


def test_a_stack_is_a_transform_in_another(slices, draws):
    images, _ = slices
    inner = Stack(((Inversion(1.0), 1.0), (Inversion(1.0), 1.0)))
    assert torch.equal(Stack(((inner, 0.5),))(images, draws), images)


def test_slices_that_are_not_chosen_keep_every_bit(slices, draws):
    images, _ = slices
    stack = Stack(((Gamma(), 0.5), (Noise(), 0.5)))
    parameters = stack.draw(images.shape, draws)
    parameters["on"] = torch.tensor([[True, False], [False, False], [False, True], [False, False]])
    changed = stack.apply(images, parameters)
    assert [torch.equal(a, b) for a, b in zip(changed, images, strict=True)] == [
        False,
        True,
        False,
        True,
    ]
