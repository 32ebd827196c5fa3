import numpy as np
import pytest
import torch

from cdseg_teach.anatomy import Grid
from cdseg_teach.anatomy.brain import LESIONS, TEMPLATE_TISSUES, icbm152, patients, template
from cdseg_teach.anatomy.label_maps import healthy_brain, tissues_of
from cdseg_teach.problems import Problem

MEANING = {"grey": (3, 42), "white": (2,), "csf": (24,), "striatum": (11,), "iron_rich": (13,)}


@pytest.fixture(scope="module")
def average():
    """The ICBM152 average as a map of tissues [X, Y, Z]: the most likely one of each voxel."""
    voxels, affine = icbm152()
    grey, white, outline = voxels
    tissues = torch.stack([grey, white, (1 - grey - white).clamp_min(0)])
    which = (tissues.argmax(0) + 1) * (outline > 0.5)
    return which.numpy().astype(np.uint8).T, affine


def centre(tissues):
    """Of grey and white matter, in voxels of the lattice."""
    matter = tissues[:2].sum(0)
    return [
        float((torch.arange(n) * matter.sum(dim=other)).sum() / matter.sum())
        for n, other in zip(matter.shape, ((1, 2), (0, 2), (0, 1)), strict=True)
    ]


def test_labels_stand_for_tissues_and_all_others_for_air():
    labels = np.array([[[0.0, 3, 42, 2], [24, 11, 13, 530]], [[-7, 1e9, 4, 2], [3, 3, 3, 3]]])
    expected = [[[0, 1, 1, 2], [3, 5, 4, 0]], [[0, 0, 0, 2], [1, 1, 1, 1]]]
    for kind in (np.float32, np.int32):
        assert tissues_of(labels.astype(kind), MEANING).tolist() == expected
    assert TEMPLATE_TISSUES == ("grey", "white", "csf", "iron_rich", "striatum")


def test_the_average_as_labels_is_nearly_the_template(average):
    healthy = healthy_brain(*average)
    reference = template(Grid())
    assert healthy.shape == reference.shape
    for mine, theirs in zip(healthy, reference, strict=True):
        assert float(mine.sum()) == pytest.approx(float(theirs.sum()), rel=0.15)
    assert float((healthy - reference).abs().mean()) < 0.02
    assert np.allclose(centre(healthy), centre(reference), atol=0.5)


@pytest.mark.parametrize("shift_mm", [(0, 0, 0), (7, -12, 31)])
def test_a_brain_that_lies_elsewhere_is_brought_home(average, shift_mm):
    which, affine = average
    away = affine.copy()
    away[:3, 3] += shift_mm
    torch.testing.assert_close(healthy_brain(which, away), healthy_brain(which, affine))


def test_a_finer_grid_gives_the_same_brain(average):
    which, affine = average
    finer = affine @ np.diag([0.5, 0.5, 0.5, 1])
    finer[:3, 3] = affine[:3, 3] - 0.25  # of eight voxels in one, the first
    twice = which.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    difference = healthy_brain(twice, finer) - healthy_brain(which, affine)
    assert float(difference.abs().mean()) < 0.01


def test_tissues_are_shares(average):
    healthy = healthy_brain(*average)
    assert healthy.min() >= 0
    assert healthy.sum(0).max() <= 1 + 1e-5


def test_nuclei_are_drawn_in_only_where_the_map_has_none(average):
    which, affine = average
    assert healthy_brain(which, affine)[4].sum() > 0
    nucleus = which.copy()
    nucleus[60:66, 100:106, 70:76] = 1 + TEMPLATE_TISSUES.index("striatum")
    healthy = healthy_brain(nucleus, affine)
    assert healthy[3].sum() == 0
    assert float(healthy[4].sum() * Grid().fine_voxel_mm3) == pytest.approx(6**3, rel=0.05)


def test_what_is_apart_from_the_brain_is_left_out(average):
    which, affine = average
    ear = which.copy()
    ear[:4, :4, 60:64] = 3
    torch.testing.assert_close(healthy_brain(ear, affine), healthy_brain(which, affine))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda which, affine: (which, affine @ _turned(10)), "askew"),
        (lambda which, affine: (which[:, :, :60], affine), "no brain"),
        (lambda which, affine: (0 * which, affine), "no brain"),
        (lambda which, affine: (which[98:99], affine), "no brain"),
        (lambda which, affine: (_two_far_apart(which), affine), "no brain"),
    ],
)
def test_a_map_that_cannot_be_used(average, change, words):
    with pytest.raises(Problem, match=words):
        healthy_brain(*change(*average))


def _two_far_apart(which):
    """As high as a brain, on either side of where the lattice will be."""
    apart = np.zeros((900, 20, which.shape[2]), np.uint8)
    apart[:20], apart[-20:] = 1, 1
    return apart


def _turned(degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_patients_have_these_brains(average):
    """Where no lesion or vein is, the tissue is the one that was given."""
    healthy = healthy_brain(*average)
    maps = patients(torch.stack([healthy, healthy]), [1, 2])
    added = sum(maps[name] for name in (*LESIONS, "hyperintensity", "vein"))
    for number, name in enumerate(TEMPLATE_TISSUES):
        untouched = added < 1e-6
        torch.testing.assert_close(
            maps[name][untouched], healthy[number].expand_as(added)[untouched]
        )
    assert (maps.label().flatten(1).sum(1) > 0).all()
    assert not torch.equal(maps.label()[0], maps.label()[1])
    torch.testing.assert_close(maps.fractions[1:], patients(healthy[None], [2]).fractions)
