"""Each method beside its control: paired differences, their intervals, and tests.

Seeds are not subjects: a seed is another training. So the interval, which resamples both, comes
first; the test is over subjects, takes the trainings as they are, and finds any difference real
once there are subjects enough, which costs nothing where subjects are simulated.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from cdseg_teach.evaluation import RATIOS
from cdseg_teach.experiments.recipes import METHODS

RESAMPLES = 9999


def scale_of(metric: str) -> float:
    """The factor a metric of results.csv is told with: ratios in percent, distances in mm."""
    return 100.0 if metric in RATIOS else 1.0


def per_subject(rows: pd.DataFrame, metric: str = "dsc", domain: str = "target") -> pd.DataFrame:
    """A metric of each subject, the mean over its structures: a row a seed and subject.

    In percent or mm, and a column a method. A distance that is undefined for a structure is left
    out of the mean, so two columns need not be about the same structures: see `paired`.
    """
    chosen = rows[rows.domain == domain]
    means = chosen.groupby(["seed", "subject", "method"])[metric].mean() * scale_of(metric)
    return means.unstack("method")


def paired(
    rows: pd.DataFrame, better: str, worse: str, metric: str = "dsc", domain: str = "target"
) -> pd.Series:
    """What one method has more than another, by the seed, subject and structure that both have.

    In points or mm. NaN where the metric is undefined in either: a distance to a structure that
    was not found at all. Only so is nobody better off for having missed what is hard.
    """
    chosen = rows[rows.domain == domain].set_index(["seed", "subject", "structure"])
    each = [chosen.loc[chosen.method == name, metric] for name in (better, worse)]
    both = pd.concat(each, axis=1, join="inner", keys=["better", "worse"])
    return (both.better - both.worse) * scale_of(metric)


def by_subject(difference: pd.Series) -> pd.Series:
    """The mean of `paired` over structures, of the seeds and subjects for which there is one."""
    return difference.groupby(["seed", "subject"]).mean().dropna()


def comparisons(rows: pd.DataFrame, metric: str = "dsc", domain: str = "target") -> pd.DataFrame:
    """Each method against its control, paired by seed, subject and structure.

    Parameters
    ----------
    rows
        Of results.csv; a method whose control is absent is left out.
    metric, domain
        As in results.csv.

    Returns
    -------
    A row a method: `control`; `difference` of the means over seeds, in points (or mm); `low` and
    `high` of `interval`; on how many of the `seeds` it is `better`, which for a distance is below
    0; how many pairs are lost because the metric is `undefined` in one of the two; `p` of
    Wilcoxon's signed-rank test over `people`, each with the mean over the seeds that tested them,
    and `holm`, corrected over these rows.
    """
    methods = rows.method.drop_duplicates()
    controls = {name: METHODS[name].control for name in methods if name in METHODS}
    pairs = {
        name: (control, paired(rows, name, control, metric, domain))
        for name, control in controls.items()
        if control and control in set(methods)
    }
    lines = {
        name: {"control": control} | _compared(difference, metric)
        for name, (control, difference) in pairs.items()
        if difference.notna().any()
    }
    columns = ["control", "difference", "low", "high", "better", "seeds", "undefined"]
    columns += ["people", "p"]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("method")
    return table.assign(holm=holm(table.p.to_numpy(float)))


def interval(differences: pd.Series, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over seeds of the means over their subjects.

    Seeds are drawn with replacement, and in each of those its subjects: Saravanan, Berman & Sober
    2020, arXiv:2007.07797. Where seeds share subjects, as on own data, one draw of subjects serves
    all of them: the same person again is not another. Quantiles q and 1 - q of `RESAMPLES` such
    means, where

        q = Phi(-sqrt(n / (n - 1)) t(0.975, n - 1))

    for n seeds: the expanded percentiles of Hesterberg 2015, The American Statistician 69:371,
    since 2.5 and 97.5 % are too narrow for few. With one seed these are taken, and the interval
    holds for that seed alone; with one value there is none (NaN).

    Parameters
    ----------
    differences
        By `seed` and `subject`.
    seed
        Of the draws.
    """
    if len(differences) < 2:
        return float("nan"), float("nan")
    shared = differences.index.get_level_values("subject").has_duplicates
    resampled = _crossed if shared else _nested
    tail = _tail(differences.index.get_level_values("seed").nunique())
    means = resampled(differences, np.random.default_rng(seed))
    low, high = np.nanquantile(means, (tail, 1 - tail))
    return float(low), float(high)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's correction: the i-th smallest of m p-values times m - i + 1, made to rise, at most 1.

    Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    order = np.argsort(p)
    corrected = np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return corrected


def _compared(difference: pd.Series, metric: str) -> dict[str, float]:
    """One line of `comparisons`, from the differences by seed, subject and structure."""
    undefined = int(difference.isna().sum())
    difference = by_subject(difference)
    seeds = difference.groupby("seed")
    low, high = interval(difference)
    means = seeds.mean()
    return {
        "difference": float(means.mean()),
        "low": low,
        "high": high,
        "better": int(((means > 0) if metric in RATIOS else (means < 0)).sum()),
        "seeds": len(means),
        "undefined": undefined,
        "people": difference.index.get_level_values("subject").nunique(),
        "p": _wilcoxon(difference),
    }


def _nested(differences: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Means of resamples where each seed has subjects of its own."""
    groups = [values.to_numpy() for _, values in differences.groupby("seed")]
    chosen = rng.integers(len(groups), size=(RESAMPLES, len(groups)))
    means = np.empty(chosen.shape)
    for number, values in enumerate(groups):
        here = chosen == number
        drawn = rng.integers(len(values), size=(here.sum(), len(values)))
        means[here] = values[drawn].mean(axis=1)
    return means.mean(axis=1)


def _crossed(differences: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Means of resamples where seeds share subjects; NaN where a seed has none of those drawn."""
    table = differences.unstack("subject").to_numpy()
    seeds, subjects = table.shape
    times = rng.multinomial(subjects, np.full(subjects, 1 / subjects), RESAMPLES)
    with np.errstate(invalid="ignore"):
        means = times @ np.nan_to_num(table).T / (times @ ~np.isnan(table).T)
    chosen = rng.integers(seeds, size=(RESAMPLES, seeds))
    return np.take_along_axis(means, chosen, axis=1).mean(axis=1)


def _tail(n: int) -> float:
    """The share of resamples below a 95 % interval of n seeds; see `interval`."""
    return float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.975))) if n > 1 else 0.025


def _wilcoxon(difference: pd.Series) -> float:
    """Two-sided p over subjects; one who was seen with several seeds counts once."""
    from scipy.stats import wilcoxon  # takes a second to load, which no lab has to wait for

    values = difference.groupby("subject").mean()
    return float(wilcoxon(values).pvalue) if values.any() else 1.0
