import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage

from cdseg_teach.anatomy import atlas
from cdseg_teach.problems import Problem


@pytest.fixture
def _unread():
    atlas.read_heart.cache_clear()
    yield
    atlas.read_heart.cache_clear()


def places(name):
    """mm (x, y, z) of a label's voxels."""
    labels, affine = atlas.read_heart()
    voxels = np.argwhere(labels == atlas.LABELS.index(name) + 1)
    return nib.affines.apply_affine(affine, voxels)


def test_the_chambers_have_the_volumes_of_the_published_mesh():
    """Its closed blood pools, by the divergence theorem: 120.6, 186.2, 68.3, 111.4 ml.

    The valves' gaps, filled with blood, add up to 1.5 ml; the wall is 124.4 and 39.4 ml of
    tetrahedra.
    """
    volume = {name: len(places(name)) * 1.5**3 / 1000 for name in atlas.LABELS}
    assert volume["LV"] == pytest.approx(120.6, abs=1.5)
    assert volume["RV"] == pytest.approx(186.2, abs=2.0)
    assert volume["LA"] == pytest.approx(68.3, abs=1.5)
    assert volume["RA"] == pytest.approx(111.4, abs=1.5)
    assert volume["MYO"] == pytest.approx(163.8, abs=1.0)


def test_the_heart_lies_as_in_a_chest():
    """RAS+: x grows to the right, y forwards, z upwards."""
    centre = {name: places(name).mean(0) for name in atlas.LABELS}
    assert centre["LV"][0] < centre["RV"][0] < centre["RA"][0], "left ventricle to the left"
    assert centre["RV"][1] > centre["LV"][1] > centre["LA"][1], "left atrium at the back"
    assert min(centre["AO"][2], centre["PA"][2]) > max(centre["LV"][2], centre["RV"][2])
    apex = places("MYO")[places("MYO")[:, 2].argmin()]
    assert apex[0] < centre["MYO"][0]
    assert apex[1] > centre["MYO"][1]


def test_every_chamber_is_in_one_piece():
    labels, _ = atlas.read_heart()
    for number, name in enumerate(atlas.LABELS[:7], start=1):
        parts, _ = ndimage.label(labels == number, ndimage.generate_binary_structure(3, 3))
        assert np.bincount(parts.flat)[1:].max() > 0.99 * (labels == number).sum(), name


def test_reading_at_a_voxel_is_that_voxel_and_outside_is_nothing():
    labels, affine = atlas.read_heart()
    voxel = np.array([40, 40, 40])
    at = torch.tensor(nib.affines.apply_affine(affine, voxel), dtype=torch.float32)
    shares = atlas.heart_at(torch.stack([at, torch.tensor([300.0, 0, 0])]).view(1, 2, 1, 1, 3))
    expected = [float(labels[tuple(voxel)] == n) for n in range(1, 11)]
    torch.testing.assert_close(shares[0, :, 0, 0, 0], torch.tensor(expected), atol=1e-4, rtol=0)
    assert shares[0, :, 1].abs().max() == 0


def test_the_distance_is_negative_inside_and_grows_with_the_way():
    far = torch.tensor([[0.0, 0, 0], [0, 60, 0], [0, 70, 0]]).view(1, 3, 1, 1, 3)
    inside, near, farther = atlas.distance_to_heart(far).flatten().tolist()
    assert inside < 0 < near
    assert farther - near == pytest.approx(10, abs=1.5)


@pytest.mark.usefixtures("_unread")
def test_a_missing_heart_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(atlas, "ASSET", tmp_path / "heart_rodero01.nii.gz")
    with pytest.raises(Problem, match=r"heart_rodero01.nii.gz: No such file .* install it again"):
        atlas.read_heart()


@pytest.mark.usefixtures("_unread")
def test_a_changed_heart_is_a_problem(tmp_path, monkeypatch):
    content = bytearray(atlas.ASSET.read_bytes())
    content[-20] ^= 1
    monkeypatch.setattr(atlas, "ASSET", tmp_path / "heart_rodero01.nii.gz")
    atlas.ASSET.write_bytes(content)
    with pytest.raises(Problem, match="is not the heart that came with"):
        atlas.read_heart()


def test_provenance_stands_beside_it():
    text = atlas.ASSET.with_name("heart_rodero01.txt").read_text()
    for what in ("CC BY 4.0", "Rodero", "10.5281/zenodo.4590294", atlas.SHA256):
        assert what in text
