"""Differences, intervals and tests, against scipy, statsmodels and a slower bootstrap."""

import numpy as np
import pandas as pd
import pytest
from results import rows_of
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cdseg_teach.experiments.comparisons import (
    RESAMPLES,
    comparisons,
    holm,
    interval,
    per_subject,
)
from cdseg_teach.experiments.summaries import gains

CONTROLS = {"adversarial": "source_longer", "gin": "source"}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def compared(rng, subjects=6, gain=0.1, methods=CONTROLS):
    """Rows of methods that are all better than their controls on every subject, a seed only."""
    dsc = {}
    for method in methods:
        low = rng.uniform(0.2, 0.4, (1, subjects))
        dsc |= {CONTROLS[method]: low, method: low + gain * rng.uniform(0.5, 1.5, low.shape)}
    return rows_of(dsc)


@pytest.mark.parametrize("m", [1, 2, 7])
def test_holm_is_statsmodels(rng, m):
    for p in (rng.uniform(size=m), rng.uniform(size=m) ** 4, np.full(m, 0.3)):
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_holm_worked_out_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).size == 0


def test_a_subject_counts_with_the_mean_over_its_structures():
    rows = rows_of({"source": [[[0.2, 0.4], [0.6, 1.0]]]}, structures=("LV", "RV"))
    assert list(per_subject(rows)["source"]) == pytest.approx([30, 80])
    assert list(per_subject(rows, "hd95_mm")["source"]) == pytest.approx([7, 2])


def test_p_is_scipys_over_subjects(rng):
    source, gin = rng.uniform(size=(2, 3, 5, 7))
    table = comparisons(rows_of({"source": source, "gin": gin}, structures="abcdefg"))
    pairs = 100 * gin.mean(axis=2).ravel(), 100 * source.mean(axis=2).ravel()
    assert table.p["gin"] == pytest.approx(stats.wilcoxon(*pairs).pvalue)
    assert table.holm["gin"] == table.p["gin"]


def test_six_subjects_are_needed_for_one_comparison(rng):
    p = [comparisons(compared(rng, n, methods=["gin"])).holm["gin"] for n in (5, 6)]
    assert p == [2 / 2**5, 2 / 2**6]


def test_holm_counts_the_comparisons_of_the_table(rng):
    table = comparisons(compared(rng))
    assert list(table.p) == [2 / 2**6] * 2
    assert list(table.holm) == [2 * 2 / 2**6] * 2


def test_somebody_seen_with_several_seeds_counts_once(rng):
    rows = compared(rng, methods=["gin"])
    again = comparisons(pd.concat([rows, rows.assign(seed=1)]))
    assert again.p["gin"] == comparisons(rows).p["gin"]
    assert again.seeds["gin"] == 2


def test_seeds_count_alike_and_only_what_both_have_is_compared():
    rows = rows_of({"source": [[0.5, 0.5], [0.5, 0.5]], "gin": [[0.6, 0.6], [0.4, 0.8]]})
    rows = rows[~((rows.method == "gin") & rows.subject.str.endswith("1test00"))]
    line = comparisons(rows).loc["gin"]
    assert line.difference == pytest.approx((10 + 30) / 2)
    assert (line.better, line.seeds) == (2, 2)


def test_of_a_distance_the_smaller_is_better():
    rows = rows_of({"source": [[0.5, 0.6], [0.5, 0.6]], "gin": [[0.7, 0.8], [0.5, 0.5]]})
    line = comparisons(rows, "hd95_mm").loc["gin"]
    assert line.difference == pytest.approx((-2 + 0.5) / 2)
    assert line.better == 1


def test_undefined_distances_are_left_out(rng):
    rows = compared(rng, methods=["gin"])
    rows.loc[rows.subject == "sub-target0test00", "hd95_mm"] = np.nan
    assert comparisons(rows, "hd95_mm").p["gin"] == 2 / 2**5
    assert comparisons(rows.assign(hd95_mm=np.nan), "hd95_mm").empty


def test_who_misses_a_structure_does_not_come_out_better_for_it():
    # The aorta is hard for both; with the rest gin is no better than its control.
    rows = rows_of({m: [[[0.8, 0.2]] * 6] for m in ("source", "gin")}, structures=("LV", "AO"))
    rows.loc[(rows.method == "gin") & (rows.structure == "AO"), "hd95_mm"] = np.nan
    line = comparisons(rows, "hd95_mm").loc["gin"]
    assert (line.difference, line.low, line.high, line.better) == (0, 0, 0, 0)
    assert line.undefined == 6
    assert comparisons(rows).undefined["gin"] == 0
    assert gains(rows, "hd95_mm").loc["gin", "undefined"] == "6"
    assert "undefined" not in gains(rows)


def test_a_seed_that_one_of_the_two_lacks_is_not_undefined(rng):
    rows = rows_of({"source": rng.uniform(size=(2, 6)), "gin": rng.uniform(size=(1, 6))})
    assert comparisons(rows).loc["gin", ["seeds", "undefined"]].tolist() == [1, 0]


def test_a_method_without_its_control_is_left_out(rng):
    rows = compared(rng)
    assert list(comparisons(rows[rows.method != "source_longer"]).index) == ["gin"]
    assert comparisons(rows[rows.method == "source"]).empty
    assert comparisons(rows.assign(method="mine")).empty


def by_seed(groups, shared=False):
    """Differences of each seed's subjects, who are others under each seed unless shared."""
    each = [
        pd.Series(values, [f"sub-{'' if shared else seed}test{i:02d}" for i in range(len(values))])
        for seed, values in enumerate(groups)
    ]
    return pd.concat(each, keys=range(len(each)), names=["seed", "subject"])


def expanded(n):
    """Hesterberg's share of resamples below the interval, with scipy's distributions."""
    return stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1)) if n > 1 else 0.025


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_the_interval_covers_the_truth(rng, seeds):
    """Trainings differ by 8 points and subjects by 10; plain percentiles reach 83, 89 and 92 %."""
    tables = rng.normal(0, 8, (200, seeds, 1)) + rng.normal(0, 10, (200, seeds, 8))
    index = by_seed(tables[0]).index
    ends = np.array([interval(pd.Series(table.ravel(), index)) for table in tables])
    covered = ((ends[:, 0] <= 0) & (ends[:, 1] >= 0)).mean()
    assert 0.93 <= covered <= 0.99


@pytest.mark.parametrize(
    ("groups", "values"), [(1, 12), (12, 1)], ids=["one seed", "one subject a seed"]
)
def test_one_level_is_the_ordinary_bootstrap(rng, groups, values):
    differences = rng.normal(20, 5, (groups, values))
    expected = stats.bootstrap(
        (differences.ravel(),),
        np.mean,
        method="percentile",
        confidence_level=1 - 2 * expanded(groups),
        n_resamples=RESAMPLES,
        random_state=1,
    ).confidence_interval
    assert interval(by_seed(differences)) == pytest.approx((expected.low, expected.high), abs=0.35)


def test_two_levels_are_what_a_loop_draws(rng):
    groups = [rng.normal(mean, 3, n) for mean, n in ((10, 4), (20, 6), (22, 5), (28, 8))]

    def drawn():
        chosen = [groups[i] for i in rng.integers(len(groups), size=len(groups))]
        return np.mean([rng.choice(values, len(values)).mean() for values in chosen])

    tail = expanded(len(groups))
    expected = np.quantile([drawn() for _ in range(4000)], (tail, 1 - tail))
    assert interval(by_seed(groups)) == pytest.approx(tuple(expected), abs=0.7)
    assert interval(by_seed(groups)) == interval(by_seed(groups))


def test_an_interval_moves_with_the_values(rng):
    differences = by_seed(rng.normal(size=(3, 4)))
    low, high = interval(differences)
    assert interval(differences + 7) == pytest.approx((low + 7, high + 7))


def test_the_same_people_under_each_seed_are_not_more_people(rng):
    people = rng.normal(20, 5, 12)
    tail = expanded(5)
    drawn = rng.choice(people, (9999, 12)).mean(axis=1)
    low, high = interval(by_seed([people] * 5, shared=True))
    assert (low, high) == pytest.approx(np.quantile(drawn, (tail, 1 - tail)), abs=0.4)
    narrow = interval(by_seed([people] * 5))
    assert narrow[1] - narrow[0] < 0.6 * (high - low)


def test_shared_people_are_what_a_loop_draws(rng):
    table = rng.normal(10, 3, (12, 6)) + rng.normal(0, 3, 6)
    table[1, 2] = np.nan

    def drawn():
        people = rng.integers(6, size=6)
        return np.mean([np.nanmean(table[k, people]) for k in rng.integers(12, size=12)])

    tail = expanded(12)
    expected = np.quantile([drawn() for _ in range(2000)], (tail, 1 - tail))
    assert interval(by_seed(table, shared=True).dropna()) == pytest.approx(tuple(expected), abs=0.4)


@pytest.mark.filterwarnings("error")
def test_little_data_is_no_error():
    alone = comparisons(rows_of({"source": [[0.5]], "gin": [[0.7]]})).loc["gin"]
    assert np.isnan([alone.low, alone.high]).all()
    assert alone.p == 1
    same = comparisons(rows_of({"source": [[0.5, 0.6]], "gin": [[0.5, 0.6]]})).loc["gin"]
    assert (same.difference, same.low, same.high, same.better, same.p) == (0, 0, 0, 0, 1)
