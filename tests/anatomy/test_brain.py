import dataclasses

import numpy as np
import pytest
import torch
from nilearn.datasets import (
    load_mni152_gm_template,
    load_mni152_template,
    load_mni152_wm_template,
)

from cdseg_teach.anatomy import Grid, brain, brain_subjects
from cdseg_teach.anatomy.brain import LESIONS, TISSUES, template
from cdseg_teach.anatomy.lattice import on_lattice

COARSE = Grid(shape=(8, 48, 48), spacing_mm=(12.0, 4.0, 4.0), fine=3)


@pytest.fixture(scope="module")
def maps():
    return brain_subjects([10, 11])


def millilitres(fraction, grid):
    return fraction.sum().item() * grid.fine_voxel_mm3 / 1000


def test_the_template_is_what_nilearn_loads():
    """Each loader's maximum is 1; the lattice's voxel is the mean of the 2 mm around it."""
    voxels, affine = brain.icbm152()
    loaders = load_mni152_gm_template, load_mni152_wm_template, load_mni152_template
    for mine, load in zip(voxels, loaders, strict=True):
        theirs = load(resolution=1)
        np.testing.assert_allclose(theirs.affine, affine)
        expected = np.asarray(theirs.dataobj, dtype=np.float32).T
        if load is load_mni152_template:
            expected = expected > 0
        np.testing.assert_allclose(mine.numpy(), expected, atol=0.003)


def test_the_lattice_averages_the_millimetres_in_a_voxel():
    """A voxel of 2 mm centred on a voxel of 1 mm holds that one and half of each neighbour."""
    voxels, affine = brain.icbm152()
    grid = Grid()
    white = on_lattice(voxels[1:2], affine, grid)[0]
    share = torch.tensor([0.25, 0.5, 0.25])
    weights = share[:, None, None] * share[:, None] * share
    for at in ((24, 48, 60), (30, 40, 35), (20, 70, 40)):
        mm = [c[at].item() for c in grid.coordinates()]
        centre = [round(c - affine[axis, 3]) for axis, c in zip((2, 1, 0), mm, strict=True)]
        cube = voxels[1][tuple(slice(c - 1, c + 2) for c in centre)]
        assert white[at].item() == pytest.approx((cube * weights).sum().item(), abs=1e-4)


def test_template_tissues_fill_the_inside_once():
    tissues = template(Grid())
    total = tissues.sum(0)
    assert tissues.min() >= 0
    assert total.max() <= 1 + 1e-5
    assert ((total < 1e-4) | (total > 1 - 1e-4)).all(), "inside or outside, nothing between"


def test_the_template_is_symmetric():
    tissues = template(Grid())
    assert (tissues - tissues.flip(-1)).abs().mean() < 0.01


def test_volumes_of_the_deep_nuclei():
    """Manual tracing, both sides: pallidum 3.8, putamen 11.4, caudate 8.7 ml; others 1.7."""
    _, _, _, iron, striatum = template(Grid())
    assert millilitres(iron, Grid()) == pytest.approx(5.5, rel=0.1)
    assert millilitres(striatum, Grid()) == pytest.approx(20.1, rel=0.15)


def test_fractions_are_shares(maps):
    assert maps.fractions.shape == (2, len(TISSUES), *Grid().fine_shape)
    assert maps.fractions.min() >= 0
    assert maps.fractions.sum(1).max() <= 1 + 1e-5
    assert torch.isfinite(maps.fractions).all()


def test_the_brain_in_the_slab_has_a_human_volume(maps):
    for i in range(2):
        assert 1200 < millilitres(maps.fractions[i], maps.grid) < 1900
    assert maps.brain().dtype == torch.bool
    assert maps.brain().float().mean().item() == pytest.approx(0.45, abs=0.1)


def test_the_same_seed_gives_the_same_brain_whatever_is_beside_it(maps):
    alone = brain_subjects([11]).fractions
    assert torch.equal(maps.fractions[1:], alone)
    assert not torch.allclose(maps.fractions[0], maps.fractions[1])


def test_lesions_replace_parenchyma_and_never_csf():
    healthy = {name: torch.rand(1, 2, 8, 8) / 5 for name in brain.TEMPLATE_TISSUES}
    everywhere = {name: torch.zeros(1, 2, 8, 8) for name in ("hyperintensity", *LESIONS)}
    everywhere["contusion"] = torch.ones(1, 2, 8, 8)
    filled = brain._fill(healthy, everywhere, torch.zeros(1, 2, 8, 8))
    by_name = dict(zip(TISSUES, filled.unbind(1), strict=True))
    torch.testing.assert_close(by_name["csf"], healthy["csf"])
    assert by_name["grey"].abs().max() == 0
    parenchyma = sum(f for name, f in healthy.items() if name != "csf")
    torch.testing.assert_close(by_name["contusion"], parenchyma)


def test_the_label_is_where_lesions_fill_half_a_voxel(maps):
    share = sum(maps.on_working_grid(maps[name]) for name in LESIONS)
    label = maps.label()
    assert label.dtype == torch.uint8
    assert torch.equal(label.bool(), share >= 0.5)
    assert label.flatten(1).any(1).all()
    assert maps.brain()[label.bool()].all()


def test_hyperintensities_of_age_are_not_the_lesion(maps):
    fractions = torch.zeros_like(maps.fractions)
    fractions[:, TISSUES.index("hyperintensity")] = 1
    assert dataclasses.replace(maps, fractions=fractions).label().sum() == 0


def test_a_grid_of_another_size_works():
    maps = brain_subjects([1], COARSE)
    assert maps.fractions.shape == (1, len(TISSUES), 24, 48, 48)
    assert maps.label().shape == (1, 8, 48, 48)
    assert 1200 < millilitres(maps.fractions, COARSE) < 1900
