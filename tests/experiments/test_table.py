"""Results have the columns that were promised, every row of them, and are written whole."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from toy import toy_study

from cdseg_teach.experiments.recipes import METHODS
from cdseg_teach.experiments.table import Results, check_writable, sweep, table
from cdseg_teach.problems import Problem

HEADER = (
    "task,direction,method,seed,alpha,domain,subject,structure,"
    "dsc,recall,precision,hd95_mm,assd_mm,seconds"
)
SMALL = partial(toy_study, subjects=2)


@pytest.fixture(scope="module")
def results():
    return table(SMALL, seeds=[3], steps=2, device="cpu", progress=False)


def test_one_row_a_subject_of_both_domains_for_every_method(results):
    counts = results.rows.groupby(["method", "domain"]).size()
    assert set(counts.index) == {(m, d) for m in METHODS for d in ("source", "target")}
    assert set(counts) == {2}


def test_files_have_the_promised_columns(results, tmp_path):
    out, methods = tmp_path / "results.csv", tmp_path / "methods.csv"
    results.write(out, methods)
    assert out.read_text().splitlines()[0] == HEADER
    assert list(pd.read_csv(methods).method) == list(METHODS)
    assert sorted(tmp_path.iterdir()) == [methods, out]


def test_ratios_are_no_percent(results):
    assert results.rows[["dsc", "recall", "precision"]].stack().between(0, 1).all()


def test_alpha_is_empty_where_it_means_nothing(results):
    with_alpha = results.rows.dropna(subset="alpha")
    assert set(with_alpha.method) == {name for name, row in METHODS.items() if row.has_alpha}
    assert set(with_alpha.alpha) == {1.0}


def test_a_sweep_has_one_run_an_alpha_and_seed():
    results = sweep(SMALL, [0.0, 3.0], [0, 1], steps=1, device="cpu", progress=False)
    runs = results.rows[["alpha", "seed"]].drop_duplicates()
    assert sorted(map(tuple, runs.to_numpy())) == [(0.0, 0), (0.0, 1), (3.0, 0), (3.0, 1)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": ["cure"]}, "'cure' is unknown; use source"),
        ({"methods": []}, "no methods"),
        ({"seeds": [1, 1]}, "seeds: 1 is given twice"),
        ({"seeds": [-1]}, "seed -1"),
        ({"alpha": -1.0}, "alpha -1.0"),
        ({"alpha": float("nan")}, "alpha nan"),
        ({"steps": 0}, "0 steps"),
    ],
)
def test_a_mistake_is_found_before_training(wrong, message):
    with pytest.raises(Problem, match=message):
        table(SMALL, **wrong)


def test_alphas_of_a_sweep_are_checked():
    with pytest.raises(Problem, match=r"alpha nan, -1\.0: "):
        sweep(SMALL, [0.0, float("nan"), -1.0])


@pytest.mark.parametrize("name", ["missing/results.csv", "."])
def test_an_unwritable_output_is_named(tmp_path, name):
    with pytest.raises(Problem, match=str(tmp_path / Path(name))):
        check_writable(tmp_path / name)


def test_nothing_half_written_is_left(results, tmp_path, monkeypatch):
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Results(results.rows, results.methods).write(tmp_path / "r.csv", tmp_path / "m.csv")
    assert list(tmp_path.iterdir()) == []
