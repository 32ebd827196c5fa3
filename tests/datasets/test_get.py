from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from faulty_server import files_below
from layouts import lay_out, mask, save, served

from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.datasets import get as module
from cdseg_teach.datasets.build import Plan
from cdseg_teach.datasets.catalogue import public_set, public_sets
from cdseg_teach.datasets.columns import rows_of
from cdseg_teach.datasets.get import get
from cdseg_teach.problems import Problem, RunFailed

DOWNLOADED = [name for name, chosen in public_sets().items() if chosen.files]
BY_HAND = [name for name, chosen in public_sets().items() if not chosen.files]


@pytest.mark.parametrize("name", public_sets())
def test_every_set_becomes_sound_cohorts(tmp_path, server, name):
    chosen, given, out = public_set(name), None, tmp_path / "out"
    if name in DOWNLOADED:
        chosen = served(name, server, tmp_path)
    else:
        given = tmp_path / "given"
        lay_out(name, given)
    assert get(chosen, out, given=given)
    for key in chosen.plan.domains:
        assert check_cohort(out / key) == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    if "source" in chosen.plan.domains:
        study = load_study(out / "source", out / "target").load()
        ours, theirs = (chosen.plan.domains[key].channels for key in ("source", "target"))
        assert (study.source.channels, study.target.channels) == (ours, theirs)
        assert study.source.structures == tuple(chosen.plan.structures)
        assert len(study.source.names) + len(study.target.names) == 4


def test_values_of_masks_stand_for_what_the_set_says(tmp_path):
    lay_out("mm_whs", tmp_path / "given")
    get(public_set("mm_whs"), tmp_path / "out", given=tmp_path / "given")
    study = load_study(tmp_path / "out" / "source", tmp_path / "out" / "target")
    label = study.source.train[0].label
    assert set(np.unique(label)) == {0, 1, 2, 3, 4, 5}  # without AO and PA, which were not drawn
    lay_out("wmh2017", tmp_path / "other")
    get(public_set("wmh2017"), tmp_path / "wmh", given=tmp_path / "other")
    study = load_study(tmp_path / "wmh" / "source", tmp_path / "wmh" / "target")
    assert set(np.unique(study.source.train[0].label)) == {0, 1}  # 2 is other pathology


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_second_time_nothing_is_done(tmp_path, server, name):
    chosen = served(name, server, tmp_path)
    get(chosen, tmp_path / "out")
    before, asked = files_below(tmp_path / "out"), len(server.asked)
    assert not get(chosen, tmp_path / "out")
    assert (files_below(tmp_path / "out"), len(server.asked)) == (before, asked)


def test_a_set_of_another_recipe_is_not_there_already(tmp_path, server):
    chosen = served("msd_heart", server, tmp_path)
    get(chosen, tmp_path / "out")
    coarser = replace(chosen, plan=replace(chosen.plan, spacing_mm=(8.0, 3.0, 3.0)))
    with pytest.raises(Problem, match="is there and not empty"):
        get(coarser, tmp_path / "out")


@pytest.mark.parametrize("folder", ["nowhere", "given"])
def test_a_folder_without_the_set(tmp_path, folder):
    (tmp_path / "given").mkdir()
    told = {
        "nowhere": ("no such folder; name the one that msd_heart", "no such folder; name the one"),
        "given": (r"holds 0 files dataset\.json", "no such file .*; name the folder that mr_train"),
    }
    with pytest.raises(Problem, match=told[folder][0]):
        get(public_set("msd_heart"), tmp_path / "out", given=tmp_path / folder)
    with pytest.raises(Problem, match=told[folder][1]):
        get(public_set("mm_whs"), tmp_path / "out", given=tmp_path / folder)
    assert not (tmp_path / "out").exists()


def test_where_one_stands_is_no_folder_to_make(tmp_path, monkeypatch):
    lay_out("mm_whs", tmp_path / "given")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(Problem, match="is where you are"):
        get(public_set("mm_whs"), Path("."), given=tmp_path / "given")


def test_where_a_disk_is_mounted_is_told_before_any_work(tmp_path, monkeypatch):
    lay_out("mm_whs", tmp_path / "given")
    (tmp_path / "disk").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_mount", lambda path: path.name == "disk")
        patch.setattr(module, "workplace", None)
        with pytest.raises(Problem, match="disk: is where a disk is mounted; name a folder in it"):
            get(public_set("mm_whs"), tmp_path / "disk", given=tmp_path / "given")
    assert get(public_set("mm_whs"), tmp_path / "disk" / "out", given=tmp_path / "given")
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "out")
    # Mounted as a whole, it is there already and is not touched.
    assert not get(public_set("mm_whs"), tmp_path / "disk" / "out", given=tmp_path / "given")


def test_a_file_that_was_mended_between_two_runs_is_read_again(tmp_path, monkeypatch):
    read_subject = Plan.read
    given, broken = tmp_path / "given", tmp_path / "given" / "ct_train/ct_train_1002_label.nii.gz"
    lay_out("mm_whs", given)
    save(broken, mask(421))
    with pytest.raises(Problem, match="421"):
        get(public_set("mm_whs"), tmp_path / "out", given=given)
    save(broken, mask(500))
    save(given / "mr_train" / "mr_train_1001_label.nii.gz", mask(820))
    read = []
    monkeypatch.setattr(
        Plan, "read", lambda *those: read.append(those[1].name) or read_subject(*those)
    )
    get(public_set("mm_whs"), tmp_path / "out", given=given)
    assert read == ["mr-1001", "ct-1002"]  # the others are as they were
    label = nib.load(tmp_path / "out" / "source" / "sub-mr-1001" / "label.nii.gz")
    assert set(np.unique(np.asarray(label.dataobj))) == {0, 6}  # the aorta


@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_had_by_hand_says_where(tmp_path, name):
    with pytest.raises(Problem, match=f"{name}: get it from http.* --from"):
        get(public_set(name), tmp_path / "out")


def test_another_s_folder_is_left_alone(tmp_path, server):
    chosen = served("msd_heart", server, tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(Problem, match="is there and not empty"):
        get(chosen, tmp_path / "out")
    assert files_below(tmp_path / "out") == {"thesis.txt": b"mine"}


def test_a_disk_too_small_is_told_before_anything_is_asked_for(tmp_path, server, monkeypatch):
    chosen = served("msd_brain", server, tmp_path)
    usage = namedtuple("usage", "free")(15 * 10**9)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(Problem, match=r"msd_brain needs 15\.6 GB more, .* has 15\.0 GB free"):
        get(chosen, tmp_path / "out")
    assert server.asked == []


def test_a_disk_too_small_for_what_is_converted_is_told(tmp_path, monkeypatch):
    lay_out("mm_whs", tmp_path / "given")
    usage = namedtuple("usage", "free")(6 * 10**6)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda place: usage)
    monkeypatch.setattr(Plan, "read", None)
    with pytest.raises(Problem, match=r"mm_whs needs 150 MB more, .* has 6 MB free; make room"):
        get(public_set("mm_whs"), tmp_path / "out", given=tmp_path / "given")
    rows = rows_of(public_set("mm_whs").columns, "map")
    values = {"heart": (500, 600, 420, 550, 205)}
    # 2 domains of 2 subjects with 1 channel, 256 x 256 x 120 voxels: 8 MB each
    with pytest.raises(Problem, match=r"given needs 31 MB more, .* has 6 MB free"):
        module.convert(
            rows, tmp_path / "given", tmp_path / "out",
            values=values, spacing_mm=(2.0, 1.0, 1.0), plane=(256, 256),
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


def test_a_full_disk_while_converting(tmp_path, server, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    chosen = served("msd_heart", server, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("cdseg_teach.datasets.build.write_subject", full)
        said = (
            rf"{tmp_path}/out: could not be made \(No space left on device\); make room and repeat "
            rf"the command, what is done is kept in {tmp_path}/\.out\.unfinished$"
        )
        with pytest.raises(Problem, match=said):
            get(chosen, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    asked = len(server.asked)
    get(chosen, tmp_path / "out")
    assert len(server.asked) == asked
    assert check_cohort(tmp_path / "out") == []


def test_two_at_once(tmp_path, server):
    chosen = served("msd_heart", server, tmp_path)
    with (
        module.workplace(tmp_path / "out"),
        pytest.raises(Problem, match="is being made by another process"),
    ):
        get(chosen, tmp_path / "out")


def test_a_value_that_stands_for_nothing_is_named(tmp_path):
    lay_out("mm_whs", tmp_path / "given")
    save(tmp_path / "given" / "ct_train" / "ct_train_1002_label.nii.gz", mask(421))
    with pytest.raises(Problem, match=r"ct_train_1002_label\.nii\.gz: label 421 is none of 0, 205"):
        get(public_set("mm_whs"), tmp_path / "out", given=tmp_path / "given")
    assert not (tmp_path / "out").exists()


# Lives that are ended by SIGKILL at the 1st, 4th, 7th, ... time that they touch a file of theirs,
# each going on with what the one before has left; the last one ends by itself.
LIVES = """
import os, pickle, signal, sys
from pathlib import Path
from cdseg_teach.datasets.get import get

chosen, out, touched = pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]), 0

def kill_at(moment):
    def hook(event, arguments):
        global touched
        if event in ("open", "os.rename", "os.mkdir", "os.remove") and out.name in str(arguments):
            touched += 1
            if touched == moment:
                os.kill(os.getpid(), signal.SIGKILL)
    return hook

for moment in range(1, 10_000, 3):
    child = os.fork()
    if not child:
        sys.addaudithook(kill_at(moment))
        get(chosen, out)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status != signal.SIGKILL:
        print("lives", moment // 3, "status", status)
        break
"""


@pytest.mark.parametrize("name", ["open_ms", "msd_brain"])
def test_killed_again_and_again_it_ends_with_the_same_bytes(tmp_path, server, name):
    chosen = served(name, server, tmp_path)
    get(chosen, tmp_path / "undisturbed")
    (tmp_path / "set.pkl").write_bytes(pickle.dumps(chosen))
    command = [sys.executable, "-c", LIVES, str(tmp_path / "set.pkl"), str(tmp_path / "killed")]
    said = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    lives = re.fullmatch(r"lives (\d+) status 0\n", said.stdout)
    assert lives, said.stderr
    assert int(lives[1]) > 10
    assert files_below(tmp_path / "killed") == files_below(tmp_path / "undisturbed")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_server_that_is_gone(tmp_path, server):
    chosen = served("msd_heart", server, tmp_path)
    server.content = {}
    with pytest.raises(RunFailed, match="404"):
        get(chosen, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif("CDSEG_TEACH_DATA" not in os.environ, reason="CDSEG_TEACH_DATA is not set")
def test_two_real_patients_of_open_ms(tmp_path):
    """Under the names that the set gives its files; `given` is where they would be unpacked."""
    folder = os.environ["CDSEG_TEACH_DATA"]
    for row in rows_of(public_set("open_ms").columns, "open_ms"):
        for patient in ("patient07", "patient19"):
            file = tmp_path / "given" / row.path.replace("*", patient)
            file.parent.mkdir(parents=True, exist_ok=True)
            name = "gt" if row.channel == "label" else row.channel
            file.symlink_to(Path(folder).resolve() / "open_ms" / patient / f"{name}.nii.gz")
    get(public_set("open_ms"), tmp_path / "out", given=tmp_path / "given")
    study = load_study(tmp_path / "out" / "source", tmp_path / "out" / "target")
    assert (study.source.names, study.target.names) == (("sub-patient07",), ("sub-patient19",))
    assert study.shifted_channels == (0,)
    for key, person, ml in (
        ("source", study.source.train[0], 1.3),
        ("target", study.target.test[0], 49.8),
    ):
        assert check_cohort(tmp_path / "out" / key) == []
        # Small lesions lose their rims to voxels of 16 mm³; they stay lesions.
        assert 0.3 < person.label.sum() * 0.016 / ml < 1.2
