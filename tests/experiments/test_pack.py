"""A small pack of the toy study: built, read, verified, gone on with, and told when stale."""

import dataclasses
import json
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import toy_study

from cdseg_teach.cohorts import brain_study, heart_study
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments import jobs, pack_build, recipes
from cdseg_teach.experiments.pack import MANIFEST, LecturePack
from cdseg_teach.experiments.pack_build import AGAIN, build, verify
from cdseg_teach.experiments.pack_plan import ENTRIES, Plan
from cdseg_teach.experiments.summaries import (
    gain_over_alpha_0,
    paired_gain,
    per_seed,
    recovered,
    scores,
    summary,
)
from cdseg_teach.problems import Problem


def toy_brains(seed, shift=1.0):
    study = toy_study(seed, subjects=2)
    return dataclasses.replace(study, target=toy_study(seed + round(10 * shift), subjects=2).target)


def toy_hearts(seed, direction):
    return dataclasses.replace(toy_study(seed, subjects=2), name="heart")


def toy_reference():
    return [1.0, 2.0]


PLAN = Plan(
    toy_brains,
    toy_hearts,
    toy_reference,
    toy_reference,
    steps=4,
    rows=("source", "source_without_shifted_channel", "augmentation", "gin", "synthesis", AGAIN),
    rows_seeds=(0,),
    shifts=(0.0, 0.5),
    shift_seeds=(0,),
    seeds=(0, 1),
    sweep_seeds=(0, 1),
    alphas=(0.0, 1.0),
    every=2,
    opens_at=0.5,
)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_build, "local_processes", partial(pack_build.local_processes, 1))
        build(folder=folder, plan=PLAN, say=lambda line: None)
    return LecturePack(folder, PLAN)


def test_every_file_is_there_and_nothing_else(pack):
    files = {file for entry in ENTRIES.values() for file in entry.files}
    assert {path.name for path in pack.folder.iterdir()} == {MANIFEST, *files}


def test_each_entry_says_how_it_was_made(pack):
    for name, entry in pack.manifest.items():
        assert entry["seeds"] == list(PLAN.seeds_of(name))
        assert {"settings", "date", "versions", "machine", "hash"} <= set(entry)


def test_a_second_build_does_nothing(pack):
    said = []
    build(folder=pack.folder, plan=PLAN, say=said.append)
    assert said == [f"{name}: up to date" for name in ENTRIES]


def test_it_can_be_verified(pack):
    verdicts = list(verify(pack.folder, PLAN))
    assert all(right for _, right in verdicts)
    assert len(verdicts) == len(ENTRIES) + 17


@pytest.mark.parametrize(
    ("file", "spoil", "verdict"),
    [
        ("scenes.csv", lambda rows: rows.assign(value=rows.value + 1e-3), "the alignment repeats"),
        ("scenes.csv", lambda rows: rows[~rows.quantity.str.startswith("lambda")], "the alignment"),
        ("ge_to_swi.csv", lambda rows: rows.assign(dsc=rows.dsc / 2), "both tables of brains"),
        ("ge_to_swi.csv", lambda rows: rows.assign(seed=rows.seed + 9), "both tables of brains"),
    ],
)
def test_what_was_spoiled_does_not_verify(pack, tmp_path, file, spoil, verdict):
    folder = shutil.copytree(pack.folder, tmp_path / "pack")
    spoil(pd.read_csv(folder / file)).to_csv(folder / file, index=False)
    spoiled = LecturePack(folder, PLAN)
    checks = {
        "the alignment": pack_build._alignment_repeats,
        "both tables": pack_build._tables_agree,
    }
    (check,) = (check for name, check in checks.items() if verdict.startswith(name))
    assert check(pack)
    assert not check(spoiled)


def test_a_checkpoint_predicts_as_the_table_says(pack):
    study = PLAN.studies(seed=0)
    learner = pack.checkpoint(study)
    subject = study.source.test[0]
    overlap = evaluate(learner, [subject], ("blob",))
    row = pack.table().query("method == 'source' and seed == 0 and domain == 'source'").iloc[0]
    assert overlap.dsc[0] == pytest.approx(row.dsc)


def test_a_run_goes_on_from_its_opening_to_the_recorded_end(pack):
    study = PLAN.studies(seed=0)
    learner = recipes.learner_of("adversarial", study, pack.checkpoint(study), steps=PLAN.steps)
    learner.load_state_dict(pack.opening_state())
    whole = pack.recorded()
    assert learner.steps_done == 2
    again = [learner.step()["loss_seg"] for _ in range(2)]
    assert again == pytest.approx([report["loss_seg"] for report in whole.reports[2:]], rel=1e-4)
    end = pack.adapted(study).predict_probabilities(study.target.test[0].image)
    np.testing.assert_allclose(
        end, learner.predict_probabilities(study.target.test[0].image), atol=1e-3
    )


def test_a_table_of_everything_has_all_rows_and_their_worst_cases(pack):
    rows, methods = pack.everything("mr_to_ct"), pack.everything_methods("mr_to_ct")
    assert list(rows.method.drop_duplicates()) == list(methods.method)
    assert set(PLAN.rows) - set(methods.method) == {"source_without_shifted_channel"}
    on_t = rows[rows.domain == "target"].groupby("method").dsc.min()
    worst = {case.method: case for case in pack.worst("mr_to_ct")}
    assert {name: case.dsc for name, case in worst.items()} == pytest.approx(on_t.to_dict())
    assert worst["gin"].subject.image.shape == (1, 1, 32, 32)
    assert pack.score("gin", direction="mr_to_ct") == pytest.approx(
        100 * rows.query("method == 'gin' and domain == 'target'").dsc.mean()
    )


def test_the_curves_over_shift_are_of_t_alone(pack):
    rows = pack.shift()
    assert list(rows["shift"].drop_duplicates()) == [0.0, 0.5, 1.0]
    assert set(rows.domain) == {"target"}
    assert set(rows.direction) == {"two_to_other"}


def test_an_interrupted_table_goes_on_where_it_was(tmp_path, monkeypatch):
    plan = dataclasses.replace(PLAN, steps=1, rows=("source", "oracle", AGAIN))
    monkeypatch.setattr(pack_build, "local_processes", partial(pack_build.local_processes, 1))
    finished, original = [], jobs.run_job

    def interrupted(job, start=None):
        if job.method == AGAIN and len(finished) == 2:
            finished.append("interrupt")
            raise KeyboardInterrupt
        finished.append(job.method)
        return original(job, start)

    monkeypatch.setattr(jobs, "run_job", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build("ge_to_swi", tmp_path, plan, say=lambda line: None)
    build("ge_to_swi", tmp_path, plan, say=lambda line: None)
    assert sorted(finished) == sorted(["source", "oracle", AGAIN, "interrupt"])
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, *ENTRIES["ge_to_swi"].files}


def test_scores_remember_where_they_come_from(pack):
    score = pack.score("adversarial")
    assert 0 <= score <= 100
    assert score.seeds == (0, 1)
    assert pack.score("adversarial", alpha=1.0) == pytest.approx(score)
    with pytest.raises(Problem, match="'tent'"):
        pack.score("tent")


def test_a_changed_setting_is_stale(pack, monkeypatch):
    monkeypatch.setitem(recipes.ADVERSARIAL, "discriminator_learning_rate", 0.1)
    with pytest.raises(Problem, match="cdseg-teach pack build"):
        pack.recorded("adversarial")
    assert pack.wrong_with("source") is None
    assert "recipe" in (pack.wrong_with("adversarial") or "")


def test_a_row_that_is_made_otherwise_is_stale(pack, monkeypatch):
    monkeypatch.setitem(recipes.METHODS, "gin", recipes.METHODS["synthesis"])
    assert pack.wrong_with("table") is None
    assert "recipe" in (pack.wrong_with("gin") or "")
    more = dataclasses.replace(recipes.METHODS[AGAIN], steps=10)
    monkeypatch.setitem(recipes.METHODS, AGAIN, more)
    assert "recipe" in (pack.wrong_with("mr_to_ct") or "")


def test_other_rows_and_other_looks_are_other_entries():
    other = dataclasses.replace(PLAN, methods=("source",), every=3)
    assert PLAN.fingerprint("table", []) != other.fingerprint("table", [])
    assert PLAN.fingerprint("adversarial", []) != other.fingerprint("adversarial", [])
    assert PLAN.fingerprint("source", []) == other.fingerprint("source", [])


def test_every_shift_of_the_plan_is_on_the_dial():
    for shift in Plan().shifts:
        assert brain_study(0, shift=shift).target.channels


def test_networks_that_learned_from_mr_are_not_taken_for_others(pack):
    with pytest.raises(Problem, match="from MR to CT"):
        pack.checkpoint(heart_study(direction="ct_to_mr"))


def test_a_distance_is_no_score_for_a_claim(pack):
    with pytest.raises(Problem, match="hd95_mm"):
        pack.score("source", "hd95_mm")


def test_a_changed_rendering_is_stale_but_not_its_last_digit(pack):
    assert pack.wrong_with("source", [1.0, 2.01]) is None
    assert "renders" in (pack.wrong_with("source", [1.0, 2.05]) or "")


def test_an_entry_that_lacks_a_file_is_no_entry(pack, tmp_path):
    shutil.copytree(pack.folder, tmp_path / "pack")
    (tmp_path / "pack" / "collapse.npz").unlink()
    spoiled = LecturePack(tmp_path / "pack", PLAN)
    spoiled.check("table")
    with pytest.raises(Problem, match="'collapse' is missing"):
        spoiled.check("collapse")
    with pytest.raises(Problem, match=r"'table' has no table\.pt"):
        spoiled.checkpoint(PLAN.studies(seed=0), "table")


def test_a_missing_pack_says_how_to_build_it(tmp_path):
    with pytest.raises(Problem, match="cdseg-teach pack build"):
        LecturePack(tmp_path, PLAN).table()


def test_a_broken_manifest_says_how_to_build_it(tmp_path):
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(Problem, match="cdseg-teach pack build"):
        LecturePack(tmp_path, PLAN).table()


def test_an_interrupted_build_keeps_what_it_has(tmp_path, monkeypatch):
    plan = dataclasses.replace(PLAN, steps=1)

    def interrupted(pack, part, name):
        raise KeyboardInterrupt

    monkeypatch.setitem(pack_build._BUILDERS, "source_without_shifted_channel", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(folder=tmp_path, plan=plan, say=lambda line: None)
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, "source.pt"}
    assert set(json.loads((tmp_path / MANIFEST).read_text())) == {"source"}


def test_an_unknown_entry_is_named(tmp_path):
    with pytest.raises(Problem, match="'everything'"):
        build("everything", tmp_path, PLAN)


def test_the_readme_says_what_the_shipped_table_says():
    rows = LecturePack().table()
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for method, line in summary(rows).iterrows():
        cells = " | ".join(line[["DSC", "recall", "precision", "DSC on S"]])
        assert re.search(rf"`{method}`: .* \| {re.escape(cells)} \|", readme), method
    said = " ".join(readme.split())
    on_s = per_seed(rows, "source", domain="source")
    low, high = (f"{on_s[k]:.1f} (seed {k})" for k in (on_s.idxmin(), on_s.idxmax()))
    assert f"Train on S has {low} to {high} on S" in said
    assert f"({str(paired_gain(rows)).split(' over')[0]})" in said
    assert f"recovers {100 * recovered(rows):.0f} % of the way" in said
    without = paired_gain(rows, worse="source_without_shifted_channel")
    assert f"here it is {-without.mean:.1f} points worse" in said


def test_the_readme_says_what_the_shipped_table_of_everything_says():
    rows = LecturePack().everything("ge_to_swi")
    said = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    on_t = {name: per_seed(rows, name).mean() for name in ("augmentation", "batch_statistics")}
    lost = -paired_gain(rows, "augmentation", "source", domain="source").mean
    wanted = f"DSC of {on_t['augmentation']:.1f} on T and loses {lost:.1f} points on S"
    assert wanted in said
    lost = -paired_gain(rows, "batch_statistics", "source", domain="source").mean
    assert f"statistics reach {on_t['batch_statistics']:.1f} and lose {lost:.1f} on S" in said
    added = paired_gain(rows, "tent", "batch_statistics")
    assert f"TENT adds {added.mean:.1f} points to them" in said
    assert added.low > 0


def test_the_readme_says_what_the_shipped_table_of_hearts_says():
    rows = LecturePack().everything("mr_to_ct")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    lines = [line.split("|") for line in readme.partition("**Hearts, MR to CT.**")[2].splitlines()]
    table = {
        cells[1].split("`")[1]: cells for cells in lines if len(cells) == 7 and "`" in cells[1]
    }
    assert {"source", "output_adversarial", "synthesis_longer", "oracle"} <= set(table)
    told = scores(rows)
    for method, (_, _, steps, on_t, on_s, way, _) in table.items():
        row = recipes.METHODS[method]
        assert int(steps) == row.steps + (recipes.METHODS[row.start].steps if row.start else 0)
        assert [on_t.strip(), on_s.strip()] == list(told.loc[method, ["T", "S"]])
        share = "" if method in ("source", "oracle") else f"{100 * recovered(rows, method):.0f} %"
        assert way.strip() == share
    loss = paired_gain(rows, "synthesis_adversarial", "synthesis_longer")
    assert f"by {-loss.mean:.1f} points" in readme


def test_the_readme_says_what_the_shipped_table_of_the_way_back_says():
    rows = LecturePack().everything("ct_to_mr")
    said = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    methods = ("source", "output_adversarial", "synthesis", "synthesis_longer")
    on_t = {method: f"{per_seed(rows, method).mean():.1f}" for method in methods}
    way = {method: f"{100 * recovered(rows, method):.0f}" for method in methods}
    assert f"Train on S reaches {on_t['source']}, images of MR bring it to" in said
    assert f"{on_t['output_adversarial']} ({way['output_adversarial']} % of the way)" in said
    painted = f"{on_t['synthesis']} after 500 steps and {on_t['synthesis_longer']} after 1000"
    assert f"{painted} ({way['synthesis']} and {way['synthesis_longer']} %)" in said


@pytest.mark.parametrize("direction", ["mr_to_ct", "ct_to_mr"])
def test_the_shipped_hearts_keep_what_the_lecture_says(direction):
    rows = LecturePack().everything(direction)
    assert per_seed(rows, "source", domain="source").mean() >= 85
    assert per_seed(rows, "oracle").mean() >= 85
    on_t = pd.DataFrame({name: per_seed(rows, name) for name in rows.method.unique()})
    for game in ("adversarial", "output_adversarial", "feature_and_output"):
        assert (on_t[game] > on_t.source_longer).all()
    if direction == "mr_to_ct":  # as the README says
        assert (on_t.synthesis_adversarial < on_t.synthesis_longer).all()
    assert recovered(rows, "output_adversarial") >= 0.6
    assert recovered(rows, "synthesis") >= 0.45


def test_the_shipped_table_keeps_what_the_lecture_says():
    rows, sweep = LecturePack().table(), LecturePack().sweep()
    on_t = pd.DataFrame({name: per_seed(rows, name) for name in rows.method.unique()})
    assert per_seed(rows, "source", domain="source").mean() >= 85
    assert (on_t.source < 2 / 3 * on_t.oracle).all()
    assert (on_t.adversarial > on_t.source_longer).all()
    assert paired_gain(rows).low > 0
    assert recovered(rows) >= 0.4
    at = {alpha: per_seed(sweep[sweep.alpha == alpha], "adversarial") for alpha in (0.0, 1.0)}
    assert (at[1.0] > at[0.0]).all()
    assert gain_over_alpha_0(sweep, 1.0).low > 0


def test_the_shipped_collapse_really_collapses():
    run = LecturePack().recorded("collapse")
    assert run.dsc_source[0] > 0.8
    assert max(run.dsc_source[-1], run.dsc_target[-1]) < 0.05


def test_the_shipped_pack_is_current():
    pack = LecturePack()
    references = {task: pack.plan.reference_of(task) for task in ("brain", "heart")}
    wrong = {name: pack.wrong_with(name, references[entry.task]) for name, entry in ENTRIES.items()}
    assert wrong == dict.fromkeys(ENTRIES)
