"""The commands that train, write and check: what they leave, and how they say no."""

import gzip
import json
import shutil
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from toy import toy_study

from cdseg_teach import cli, cohorts
from cdseg_teach.cli import runs
from cdseg_teach.evaluation import dsc
from cdseg_teach.experiments import executors, pack_build
from cdseg_teach.experiments.export import write_study
from cdseg_teach.experiments.recipes import LECTURE_ROWS, METHODS

SMALL = partial(toy_study, subjects=2)


@pytest.fixture(autouse=True)
def _toy_task_in_this_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cohorts, "brain_study", SMALL)
    monkeypatch.setattr(executors, "available_cores", lambda: 1)


def test_table_writes_both_files_and_prints_a_summary(tmp_path, capsys):
    asked = ["table", "--methods", "source,adversarial", "--seeds", "0,1", "--steps", "2"]
    assert cli.main([*asked, "--alpha", "0.5", "--out", "results.csv"]) == 0
    rows = pd.read_csv(tmp_path / "results.csv")
    assert len(rows) == 2 * 2 * 4  # methods, seeds, test subjects of both domains
    assert set(rows[rows.method == "adversarial"].alpha) == {0.5}
    assert len(pd.read_csv(tmp_path / "methods.csv")) == 4
    printed = capsys.readouterr()
    assert "Mean (std)" in printed.out
    assert "What each was allowed to see" in printed.out
    assert "6 runs, 8 steps of training: about" in printed.err


def test_a_sweep_leaves_a_tables_methods_alone(tmp_path):
    (tmp_path / "methods.csv").write_text("mine")
    assert cli.main(["sweep", "--alphas", "0,1", "--seeds", "0", "--steps", "1"]) == 0
    assert sorted(set(pd.read_csv("sweep.csv").alpha)) == [0, 1]
    assert list(pd.read_csv("sweep_methods.csv").alpha) == [0, 1]
    assert (tmp_path / "methods.csv").read_text() == "mine"


OWN = ["--source", "toy/source", "--target", "toy/target"]
ONE_STEP = ["--seeds", "0", "--steps", "1"]


def without_cards(folder):
    for card in folder.glob("*/cohort.json"):
        card.unlink()


def test_own_data_is_read_from_two_folders(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    assert cli.main(["table", *OWN, *ONE_STEP, "--methods", "source"]) == 0
    rows = pd.read_csv("results.csv")
    assert set(rows.task) == {"own data"}
    assert set(rows.direction) == {"two_to_other"}
    assert "note: " not in capsys.readouterr().err


def test_few_subjects_are_tested_in_turn(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    for card in tmp_path.glob("toy/*/cohort.json"):
        content = json.loads(card.read_text())
        card.write_text(json.dumps(content | {"splits": {}}))
    asked = ["table", "--data", "toy", "--steps", "1", "--methods", "source,batch_statistics"]
    assert cli.main([*asked, "--predictions", "masks"]) == 0
    printed = capsys.readouterr()
    people = len(list(tmp_path.glob("toy/target/sub-*")))
    assert f"few subjects: cross-validation, seeds 0 to {min(5, people) - 1}" in printed.err
    rows = pd.read_csv("results.csv")
    on_t = rows[(rows.method == "source") & (rows.domain == "target")]
    assert on_t.subject.nunique() == len(on_t) == people
    assert ("too few" in printed.out) == (people < 6)
    for method in ("source", "batch_statistics"):
        of_t = sorted(file.name for file in Path("masks", method).glob("seed-*/sub-T-*"))
        assert of_t == [f"{name}_prediction.nii.gz" for name in sorted(on_t.subject)]
    assert "not tested" not in printed.err
    assert cli.main([*asked, "--seeds", "0,2", "--predictions", "others"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "not tested" in line]
    left_out = ", ".join(str(fold) for fold in range(min(5, people)) if fold not in (0, 2))
    assert len(told) == 1
    whoever = f"whoever is in fold {left_out} of 0 to {min(5, people) - 1}"
    assert told[0].startswith(f"note: not tested: {whoever}; ")


def test_where_one_person_is_tested_it_trains_once(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    for card in tmp_path.glob("toy/*/cohort.json"):
        content = json.loads(card.read_text())
        card.write_text(json.dumps(content | {"splits": {}}))
    _, *others = sorted(tmp_path.glob("toy/target/sub-*"))
    for folder in others:
        shutil.rmtree(folder)
    asked = ["table", "--data", "toy", "--steps", "1", "--methods", "source"]
    assert cli.main(asked) == 0
    printed = capsys.readouterr()
    assert "one person is tested: seed 0 alone" in printed.err
    assert set(pd.read_csv("results.csv").seed) == {0}
    assert cli.main([*asked, "--seeds", "1,2"]) == 0
    assert set(pd.read_csv("results.csv").seed) == {1, 2}
    assert "seed 0 alone" not in capsys.readouterr().err


def dsc_of_files(rows, scans, masks="masks"):
    """What a table says, from the files alone."""
    for row in rows.itertuples():
        mask = nib.load(f"{masks}/{row.method}/seed-{row.seed}/{row.subject}_prediction.nii.gz")
        truth = nib.load(f"{scans}/{row.domain}/{row.subject}/label.nii.gz")
        assert np.array_equal(mask.affine, truth.affine)
        yield dsc(np.asarray(mask.dataobj) == 1, np.asarray(truth.dataobj) == 1)


@pytest.mark.parametrize("written", [True, False], ids=["own data", "simulated"])
def test_predictions_have_the_dsc_of_the_table(tmp_path, capsys, written):
    write_study(SMALL(), tmp_path / "toy")
    rows = ["--methods", "source,source_without_shifted_channel,batch_statistics"]
    asked = ["table", *rows, "--seeds", "0", "--steps", "5", "--predictions", "masks"]
    assert cli.main([*asked, *(OWN if written else [])]) == 0
    assert capsys.readouterr().out.endswith("written: masks\n")
    results = pd.read_csv("results.csv")
    if not written:
        results.subject = "sub-" + results.subject  # as `data make` calls their folders
        for file in tmp_path.glob("masks/*/*/*"):
            file.rename(file.with_name(f"sub-{file.name}"))
    assert len(list(tmp_path.glob("masks/*/*/*"))) == len(results) == 3 * 4
    assert np.allclose(list(dsc_of_files(results, "toy")), results.dsc)
    assert results.dsc.max() > 0


@pytest.mark.parametrize(
    ("folder", "culprit"),
    [
        ("mine", "mine: is there and not empty"),
        ("mine/dear.txt", "dear.txt: is there and not empty"),
        ("mine/dear.txt/new", "cannot be written"),
        (".", ".: results.csv is to lie there"),
        ("methods.csv", "methods.csv: methods.csv is to lie there"),
    ],
)
def test_a_place_for_predictions_is_refused_before_training(
    tmp_path, capsys, monkeypatch, folder, culprit
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dear.txt").write_text("")
    monkeypatch.setattr("cdseg_teach.experiments.jobs.run_jobs", None)
    assert cli.main(["table", *ONE_STEP, "--predictions", folder]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert culprit in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("error", [MemoryError("no room"), KeyboardInterrupt()])
def test_a_run_that_stops_leaves_no_predictions(tmp_path, monkeypatch, error):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr("cdseg_teach.experiments.jobs.predictor_of", stop)
    asked = ["table", "--methods", "source,oracle", *ONE_STEP, "--predictions", "masks"]
    assert cli.main(asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_costs_the_predictions_and_not_the_table(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert cli.main(["table", "--methods", "source", *ONE_STEP, "--predictions", "masks"]) == 2
    assert "masks: cannot be written (No space left on device)" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["methods.csv", "results.csv"]


def test_a_single_cohort_is_halved(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    channels = ["--source-channels", "one", "--target-channels", "two"]
    asked = ["table", "--data", "toy/source", *channels, *ONE_STEP, "--methods", "all"]
    assert cli.main(asked) == 0
    assert "left out: source_without_shifted_channel (study own data" in capsys.readouterr().err
    assert set(pd.read_csv("results.csv").direction) == {"one_to_two"}


def test_channels_of_one_side_are_named_and_left_out(tmp_path, capsys, recwarn):
    write_study(SMALL(), tmp_path / "toy")
    without_cards(tmp_path / "toy")
    assert cli.main(["table", *OWN, *ONE_STEP]) == 0
    assert set(pd.read_csv("methods.csv").channels) == {"one"}
    assert "source_without_shifted_channel" not in set(pd.read_csv("results.csv").method)
    assert len(set(pd.read_csv("results.csv").method)) == 4
    told = [line for line in capsys.readouterr().err.splitlines() if "not used" in line]
    assert len(told) == 1
    assert told[0].startswith("note: not used: two (source only), other (target only); to pair")
    assert not any("not used" in str(warning.message) for warning in recwarn)


def test_a_row_that_is_asked_for_and_cannot_be_is_told(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    without_cards(tmp_path / "toy")
    asked = ["table", *OWN, *ONE_STEP, "--methods", "source,source_without_shifted_channel"]
    assert cli.main(asked) == 2
    assert "no shifted channel" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["table", "sweep"])
def test_channels_are_paired_as_asked(tmp_path, command):
    write_study(SMALL(), tmp_path / "toy")
    without_cards(tmp_path / "toy")
    channels = ["--source-channels", "two, one", "--target-channels", "other,one"]
    rows = ["--methods", "source"] if command == "table" else ["--alphas", "1"]
    assert cli.main([command, *OWN, *ONE_STEP, *channels, *rows, "--out", "out.csv"]) == 0
    assert set(pd.read_csv("out.csv").direction) == {"two_to_other"}


def test_the_default_rows_are_the_lecture_s_where_a_channel_is_shifted(tmp_path):
    assert cli.main(["table", *ONE_STEP]) == 0
    assert list(pd.read_csv("methods.csv").method) == list(LECTURE_ROWS)


def test_all_rows_are_those_that_the_channels_allow():
    assert runs.rows_asked_for("all", SMALL) == list(METHODS)
    every_channel_shifts = partial(
        cohorts.heart_study, sizes={"train": 1, "validation": 1, "test": 1}
    )
    some = runs.rows_asked_for("all", every_channel_shifts)
    assert set(METHODS) - set(some) == {"source_without_shifted_channel"}


@pytest.mark.parametrize("channel", ["one", "other"])
def test_a_broken_volume_is_told_before_any_training(tmp_path, capsys, channel):
    write_study(SMALL(), tmp_path / "toy")
    *_, last = sorted((tmp_path / "toy" / "target").glob("sub-*"))
    file = last / f"{channel}.nii.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert cli.main(["table", *OWN, "--methods", "source", "--seeds", "0"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert f"{last.name}/{channel}.nii.gz" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_missing_shifted_channel_is_told_before_any_training(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    *_, last = sorted((tmp_path / "toy" / "target").glob("sub-*"))
    (last / "other.nii.gz").unlink()
    assert cli.main(["table", *OWN, "--methods", "source", "--seeds", "0"]) == 2
    assert f"{last.name}/other.nii.gz: is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        ("table --methods cure", "'cure'"),
        ("table --methods ,", "no methods"),
        ("table --seeds 0,one", "'one'"),
        ("table --seeds 1.5", "'1.5'"),
        ("table --seeds=-1", "-1"),
        ("table --seeds 1,1", "twice"),
        ("table --steps 0", "0 steps"),
        ("table --steps few", "'few'"),
        ("table --alpha nan", "nan"),
        ("table --device abacus", "'abacus'"),
        ("table --executor cloud", "'cloud'"),
        ("table --task knee", "'knee' is unknown; use brain or heart"),
        ("table --task brain --direction mr_to_ct", "with --task heart"),
        ("table --task heart --direction ct_to_pet", "use mr_to_ct or ct_to_mr"),
        (
            "table --task heart --methods source_without_shifted_channel",
            "has only shifted channels",
        ),
        ("table --task liver", "'liver'"),
        ("table --source a", "--target FOLDER"),
        ("table --source a --target b", "b: cannot be read"),
        ("table --source-channels FLAIR", "--source FOLDER"),
        ("table --source a --target b --task brain", "no --task"),
        ("table --data a --target b", "--data FOLDER, or"),
        ("table --data a --task brain", "no --task"),
        ("table --data a", "a: cannot be read"),
        ("table --folds 3", "--source FOLDER"),
        ("table --source a --target b --folds 2", "a: cannot be read"),
        ("table --out missing/results.csv", "missing/results.csv"),
        ("table --out .", ".: is a folder"),
        ("table --out methods.csv", "methods.csv"),
        ("sweep --alphas=-1,0,nan,much,inf", "'-1', 'nan', 'much', 'inf': "),
        ("sweep --alphas=nan", "nan"),
        ("sweep --alphas=much", "'much'"),
        ("data make --out . --seed x", "'x'"),
        ("data make --out new --task knee", "'knee' is unknown"),
        ("data check missing", "missing"),
        ("pack build --only everything", "'everything'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(tmp_path, capsys, arguments, culprit):
    assert cli.main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert culprit in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_breaks_is_one_line_and_exit_1(tmp_path, capsys, monkeypatch):
    def no_room(*_, **__):
        raise MemoryError("no room")

    monkeypatch.setattr("cdseg_teach.experiments.jobs.predictor_of", no_room)
    assert cli.main(["table", "--methods", "oracle", "--seeds", "0", "--steps", "1"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "cdseg-teach: the run failed: MemoryError: no room"
    assert list(tmp_path.iterdir()) == []


def test_data_make_writes_what_data_check_accepts(tmp_path, capsys):
    assert cli.main(["data", "make", "--task", "brain", "--seed", "1", "--out", "toy"]) == 0
    for cohort in ("source", "target"):
        assert cli.main(["data", "check", f"toy/{cohort}"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["data", "make", "--out", "toy"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert cli.main(["data", "check", "toy"]) == 2
    told = "cdseg-teach: toy: holds cohorts; check toy/source, toy/target\n"
    assert capsys.readouterr().err == told


def test_data_check_names_every_culprit(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    first, second, *_ = sorted((tmp_path / "toy" / "source").glob("sub-*"))
    (first / "two.nii.gz").unlink()
    whole = (second / "one.nii.gz").read_bytes()
    (second / "one.nii.gz").write_bytes(whole[: len(whole) // 2])
    assert cli.main(["data", "check", "toy/source"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert f"{first.name}/two.nii.gz: is missing" in lines[0]
    assert f"{second.name}/one.nii.gz" in lines[1]
    assert gzip.decompress(whole)  # the file was good before


def test_data_check_prints_who_is_there_where_nothing_is_wrong(tmp_path, capsys):
    write_study(SMALL(), tmp_path / "toy")
    people = sorted(file.name for file in (tmp_path / "toy" / "source").glob("sub-*"))
    assert cli.main(["data", "check", "toy/source"]) == 0
    first, empty, head, *rows = capsys.readouterr().out.splitlines()
    assert (first, empty) == ("toy/source: nothing wrong", "")
    for column in ("subject", "channels", "voxels", "spacing (mm)", "axes", "label (ml)"):
        assert column in head
    assert [row.split()[0] for row in rows] == people
    assert all("one, two" in row for row in rows)
    write_dynamic(tmp_path / "dynamic", volumes=40)
    assert cli.main(["data", "check", "dynamic"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100
    (tmp_path / "dynamic" / "p1" / "scan.nii.gz").write_bytes(b"")
    assert cli.main(["data", "check", "dynamic"]) == 2
    assert capsys.readouterr().out == ""


def write_dynamic(folder: Path, volumes: int) -> None:
    for number in range(2):
        (folder / f"p{number}").mkdir(parents=True)
        data = np.random.default_rng(number).uniform(1, 2, (4, 5, 6, volumes)).astype(np.float32)
        nib.save(nib.Nifti1Image(data, np.eye(4)), folder / f"p{number}" / "scan.nii.gz")


@pytest.mark.parametrize(("right", "status"), [(True, 0), (False, 1)])
def test_pack_verify_exits_with_what_it_found(capsys, monkeypatch, right, status):
    monkeypatch.setattr(pack_build, "verify", lambda: iter([("source is as said", right)]))
    assert cli.main(["pack", "verify"]) == status
    assert capsys.readouterr().out == f"{'ok' if right else '!!'}  source is as said\n"


def test_pack_build_takes_one_entry(monkeypatch):
    asked = []
    monkeypatch.setattr(pack_build, "build", asked.append)
    assert cli.main(["pack", "build", "--only", "source"]) == 0
    assert asked == ["source"]
