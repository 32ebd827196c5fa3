import gzip
import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from faulty_server import files_below
from layouts import brain, lay_out

from cdseg_teach.cohorts.load import load_study
from cdseg_teach.datasets.catalogue import public_set
from cdseg_teach.datasets.get import get
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2

BRAINWEB = (4, 5, 6, 18, 20, 38, *range(41, 55))  # its models, as its page numbers them
SCRIPT = Path(__file__).parents[2] / "data_scripts" / "brainweb_to_nifti.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The cohorts of four label maps."""
    place = tmp_path_factory.mktemp("synthseg")
    lay_out("synthseg", place / "given")
    get(public_set("synthseg"), place / "out", given=place / "given")
    return place


def test_patients_are_seen_by_the_two_scanners(made):
    study = load_study(made / "out" / "source", made / "out" / "target", folds=2).load()
    assert study.source.channels == DATA_SET_1.channels
    assert study.target.channels == DATA_SET_2.channels
    assert set(study.source.names) == {"sub-brain01", "sub-brain10"}
    for subject in (*study.source.test, *study.target.test):
        assert subject.image.shape == (5, 24, 96, 96)
        assert np.isfinite(subject.image).all()
        assert subject.label is not None
        assert subject.label.any()


def test_a_patient_is_the_same_whoever_else_is(made, tmp_path):
    lay_out("synthseg", tmp_path / "given")
    (tmp_path / "given" / "data" / "training_label_maps" / "training_seg_10.nii.gz").unlink()
    get(public_set("synthseg"), tmp_path / "out", given=tmp_path / "given")
    who = Path("source") / "sub-brain01"
    assert files_below(tmp_path / "out" / who) == files_below(made / "out" / who)


def test_nobody_s_brain_is_in_both_domains():
    for name in ("synthseg", "brainweb"):
        chosen = public_set(name)
        numbers = BRAINWEB if name == "brainweb" else range(1, 21)
        sides = [
            {n for n in numbers if any(Path(f"brain{n:02d}").match(p) for p in domain.subjects)}
            for domain in chosen.plan.domains.values()
        ]
        assert not sides[0] & sides[1]
        assert sides[0] | sides[1] == set(numbers)


def test_every_label_of_a_brain_stands_for_a_tissue():
    """Those that occur, as generation_labels.npy of SynthSeg lists them; from 502 on, no brain."""
    inside = [14, 15, 16, 24, 72, 85, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 17, 18, 25, 26, 28, 30, 136]
    inside += [137, 41, 42, 43, 44, 46, 47, 49, 50, 51, 52, 53, 54, 57, 58, 60, 62, 163, 164]
    meant = [label for those in public_set("synthseg").plan.tissues.values() for label in those]
    assert sorted(meant) == sorted(inside)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda image: nib.Nifti1Image(image.get_fdata()[:, :20], image.affine), "no brain that"),
        (lambda image: nib.Nifti1Image(image.get_fdata() + 0.5, image.affine), "is no integer"),
        (lambda image: nib.Nifti1Image(0 * image.get_fdata(), image.affine), "no brain that"),
        (lambda image: nib.Nifti1Image(image.get_fdata(), image.affine @ _tilted()), "askew"),
    ],
)
def test_a_label_map_that_cannot_be_used_is_named(tmp_path, spoil, words):
    lay_out("synthseg", tmp_path / "given")
    place = tmp_path / "given" / "data" / "training_label_maps"
    nib.save(spoil(brain(20, 24, 3, 41)), place / "training_seg_20.nii.gz")
    with pytest.raises(Problem, match=rf"training_seg_20\.nii\.gz: .*{words}"):
        get(public_set("synthseg"), tmp_path / "out", given=tmp_path / "given")
    assert not (tmp_path / "out").exists()


def _tilted():
    c, s = np.cos(0.2), np.sin(0.2)
    return np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])


@pytest.fixture
def script(monkeypatch):
    """The script, for models of 4 x 6 x 5 voxels."""
    spec = importlib.util.spec_from_file_location("brainweb_to_nifti", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.SHAPE == (362, 434, 362)
    monkeypatch.setattr(module, "SHAPE", (4, 6, 5))
    return module


LABELS = np.arange(120).reshape(4, 6, 5) % 12


def test_raw_files_of_brainweb_become_nifti(tmp_path, script, capsys):
    as_bytes, as_shorts = LABELS.astype(np.uint8).tobytes(), (LABELS << 4).astype("<u2").tobytes()
    kinds = {
        "subject04_crisp.rawb": as_bytes,
        "subject05_crisp.rawb.gz": gzip.compress(as_bytes),
        "subject_06.bin.gz": gzip.compress(as_shorts),
    }
    for name, content in kinds.items():
        (tmp_path / name).write_bytes(content)
    out = tmp_path / "out"
    assert script.main([*(str(tmp_path / name) for name in kinds), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"subject0{n}.nii.gz" for n in (4, 5, 6)]
    for file in out.iterdir():
        image = nib.load(file)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        np.testing.assert_array_equal(np.asarray(image.dataobj).T, LABELS)
        np.testing.assert_allclose(image.affine @ [0, 0, 0, 1], [-90.25, -126.25, -72.25, 1])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("subject04.rawb", bytes(119), "has 119 bytes"),
        ("model.rawb", bytes(120), "says no subject"),
        ("subject04.rawb", bytes([12] * 120), "holds the label 12"),
        ("subject04.rawb.gz", gzip.compress(bytes(120))[:-9], "end-of-stream"),
    ],
)
def test_raw_files_that_are_none(tmp_path, script, capsys, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert script.main([str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said
    assert not (tmp_path / "out").exists()
