"""A study of one's own volumes: two folders of NIfTI in, a Study out as from the simulation."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdseg_teach.cohorts.card import SPLIT_NAMES, STRUCTURES, Card, read_card
from cdseg_teach.cohorts.checks import expected_channels, file_problems, name_problems
from cdseg_teach.cohorts.convert import Conversion, read_subject
from cdseg_teach.cohorts.layout import (
    LABEL_NAMES,
    SubjectFiles,
    check_command,
    find_subjects,
    with_prefix,
)
from cdseg_teach.cohorts.namesakes import copies, namesakes
from cdseg_teach.cohorts.resample import check_grid
from cdseg_teach.cohorts.splits import (
    FEWEST_TESTED,
    TEST_SHARE,
    fold_by_subject,
    halve_by_subject,
    split_by_subject,
)
from cdseg_teach.cohorts.study import Cohort, Split, Study
from cdseg_teach.problems import Problem, checked_seed, raise_first

_MASKS = f"{LABEL_NAMES[0]}.nii.gz (or {', '.join(LABEL_NAMES[1:])})"


@dataclass(frozen=True)
class _Side:
    """One of the two cohorts before its subjects are split."""

    role: str
    folder: Path
    card: Card | None
    subjects: tuple[SubjectFiles, ...]
    available: tuple[str, ...]


def load_study(
    source: str | Path,
    target: str | Path,
    *,
    source_channels: Sequence[str] | None = None,
    target_channels: Sequence[str] | None = None,
    source_subjects: Iterable[str] | None = None,
    target_subjects: Iterable[str] | None = None,
    structures: Sequence[str] | None = None,
    spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0),
    plane: tuple[int, int] = (96, 96),
    folds: int | None = None,
    seed: int = 0,
) -> Study:
    """A study of two folders of `<subject>/<channel>.nii.gz` with a mask label.nii.gz or gt.nii.gz.

    Headers are checked at once; a subject is read, averaged onto the working grid and normalised
    when its split is first asked for. Patients' images are never copied into the cache. The
    foreground is what differs from a volume's corners (skull-stripped), or, where these hold noise,
    what is brighter than Otsu's threshold. A file with a fourth axis, `scan.nii.gz`, has channels
    scan-0, scan-1, ...; the names of BIDS are understood (:mod:`cdseg_teach.cohorts.layout`).

    Parameters
    ----------
    source, target
        The two folders; or the same one, whose subjects are halved where none are named (those with
        a label; all others are target).
    source_channels, target_channels
        Channels by name, paired in order. Without them, those of both cohort.json in their order,
        where these list as many and none in two places; else those that both folders have, with a
        warning that names the others. Different names are a domain shift, such as ["FLAIR"] and
        ["T2"].
    source_subjects, target_subjects
        Subjects by name; without them all, or all that the other side does not name.
    structures
        Names of label 1..K; without them cohort.json's, or ("lesion",).
    spacing_mm
        (z, y, x) of the working grid in mm.
    plane
        Rows and columns of a slice, multiples of 8, around the middle of the foreground; what lies
        beyond is cut off, unless a mask marks it. There are as many slices as the foreground needs.
    folds
        Cross-validation with so many folds, whatever cohort.json says: seed 0, 1, ... is the fold,
        and every subject is tested in one of them. For few subjects.
    seed
        Deals subjects out to train, validation and test where cohort.json does not. A single source
        subject is trained on, a single target subject is tested on; target subjects without a label
        are only adapted to. A name that both folders have counts as one person, who is not learned
        from in one and tested in the other; where a cohort.json says otherwise, or it is the only
        such name, a note tells it.

    Returns
    -------
    Study, whose `notes` say what is special about its channels and splits.

    Raises
    ------
    Problem
        When a folder, channel, subject, label or header is not as said, or the grid or the seed is
        none.
    """
    seed = checked_seed(seed)
    check_grid(spacing_mm, plane)
    halved = _is_halved(Path(source), Path(target), source_subjects, target_subjects)
    halves_seed = (seed if folds is None else 0) if halved else None
    sides = _sides(Path(source), Path(target), source_subjects, target_subjects, halves_seed)
    _check_folds(folds, sides[1])
    notes: list[str] = []
    if source_channels is None and target_channels is None:
        channels = _default_channels(*sides)
        notes += _unused_channels(sides, channels)
        for note in notes:
            warnings.warn(note, stacklevel=2)
    else:
        channels = _chosen_channels(*sides, source_channels, target_channels)
    shared = _shared(*sides)
    cohorts, dealing = [], []
    for side, names, both in zip(sides, channels, shared, strict=True):
        conversion = Conversion(
            names,
            _structures(side, structures),
            spacing_mm,
            plane,
            bool(side.card and side.card.prepared),
        )
        _check(side, conversion)
        dealing.append(_dealt(side, seed, folds, _labelled(both, sides), carded=not halved))
        cohort = _cohort(side, conversion, dealing[-1], prefixed=bool(both))
        cohorts.append(cohort)
        notes += _notes(side, cohort)
    notes += _namesake_notes(shared[0], *dealing)
    shifted = tuple(i for i, pair in enumerate(zip(*channels, strict=True)) if pair[0] != pair[1])
    return Study("own data", seed, cohorts[0], cohorts[1], shifted, tuple(notes))


def folds_for(source: str | Path, target: str | Path) -> int | None:
    """How many folds a target of few subjects needs; None where one test set is enough.

    Few is when a single test set would have fewer than `FEWEST_TESTED`, and no cohort.json says who
    is tested. There are five folds at most, and no more than subjects with a label.
    """
    source, target = Path(source), Path(target)
    card = read_card(target)
    labelled = sum(subject.label is not None for subject in find_subjects(target))
    halved = source.resolve() == target.resolve()
    if halved:
        labelled //= 2
    enough = round(TEST_SHARE * labelled) >= FEWEST_TESTED
    if labelled < 2 or enough or (card and card.splits and not halved):
        return None
    return min(5, labelled)


def _is_halved(source: Path, target: Path, *subjects: Iterable[str] | None) -> bool:
    """Whether one folder is both, and nobody said who of it is which."""
    return source.resolve() == target.resolve() and subjects == (None, None)


def _check_folds(folds: int | None, target: _Side) -> None:
    labelled = sum(subject.label is not None for subject in target.subjects)
    if folds is not None and not 2 <= folds <= max(labelled, 2):
        raise Problem(
            f"{folds} folds of {labelled} labelled target subjects; use 2 to {labelled}, or none"
        )


def _sides(
    source: Path,
    target: Path,
    source_subjects: Iterable[str] | None,
    target_subjects: Iterable[str] | None,
    halves_seed: int | None,
) -> tuple[_Side, _Side]:
    wanted = [
        None if names is None else {with_prefix(name) for name in names}
        for names in (source_subjects, target_subjects)
    ]
    if halves_seed is not None:
        everybody = find_subjects(source)
        labelled = [with_prefix(subject.name) for subject in everybody if subject.label]
        if not labelled:
            raise Problem(f"{source}: nobody has a mask; add {_MASKS} to each subject's folder")
        half, _ = halve_by_subject(labelled, seed=halves_seed)
        wanted[0] = set(half)  # who has no label can only be adapted to
    sides = []
    for role, folder, names, others in (
        ("source", source, wanted[0], wanted[1]),
        ("target", target, wanted[1], wanted[0]),
    ):
        subjects = find_subjects(folder)
        if names is None and source.resolve() == target.resolve():
            names = {with_prefix(subject.name) for subject in subjects} - (others or set())
        card = read_card(folder)
        raise_first(name_problems(subjects, card), check_command(folder))
        chosen = _chosen(folder, subjects, names)
        sides.append(_Side(role, folder, card, chosen, expected_channels(subjects, card)))
    return sides[0], sides[1]


def _chosen(
    folder: Path, subjects: tuple[SubjectFiles, ...], names: set[str] | None
) -> tuple[SubjectFiles, ...]:
    """The subjects of these names, which all begin with sub-, whether their folders do or not."""
    if names is None:
        return subjects
    known = {with_prefix(subject.name): subject for subject in subjects}
    for name in sorted(names - set(known)):
        given = name.removeprefix("sub-")
        there = ", ".join(subject.name for subject in subjects)
        raise Problem(f"{folder}: no subject {given!r}; there is {there}")
    if not names:
        raise Problem(f"{folder}: nobody is left for source or target; name fewer subjects")
    return tuple(known[name] for name in sorted(names))


def _default_channels(source: _Side, target: _Side) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of both cards in their order where that pairs them all, or those of the same name."""
    ours, theirs = (side.card.channels if side.card else () for side in (source, target))
    if ours and theirs and _same_places(ours, theirs):
        return ours, theirs
    both = tuple(name for name in source.available if name in target.available)
    if not both:
        raise Problem(
            f"source has {', '.join(source.available)}, target {', '.join(target.available)}: "
            "no channel in common; pair them with source_channels and target_channels"
        )
    return both, both


def _same_places(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Whether two lists are as long, and have what they share in the same places."""
    return len(ours) == len(theirs) and all(
        one == other or (one not in theirs and other not in ours)
        for one, other in zip(ours, theirs, strict=True)
    )


def _unused_channels(
    sides: tuple[_Side, _Side], channels: tuple[tuple[str, ...], ...]
) -> list[str]:
    """One line on the channels that have no partner, if there are any."""
    unused = [
        f"{name} ({side.role} only)"
        for side, used in zip(sides, channels, strict=True)
        for name in side.available
        if name not in used
    ]
    lonely = [set(side.available) - set(used) for side, used in zip(sides, channels, strict=True)]
    cure = "; to pair them, name source_channels and target_channels" if all(lonely) else ""
    return [f"not used: {', '.join(unused)}{cure}"] if unused else []


def _chosen_channels(
    source: _Side, target: _Side, of_source: Sequence[str] | None, of_target: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    pair = tuple(of_source or of_target or ()), tuple(of_target or of_source or ())
    for side, names in zip((source, target), pair, strict=True):
        for name in names:
            if name not in side.available:
                raise Problem(
                    f"{side.folder}: no channel {name!r}; there is {', '.join(side.available)}"
                )
    if len(pair[0]) != len(pair[1]) or not pair[0]:
        raise Problem(
            f"channels {list(pair[0])} and {list(pair[1])}: pair each with one of the other"
        )
    return pair


def _structures(side: _Side, given: Sequence[str] | None) -> tuple[str, ...]:
    if given is not None:
        return tuple(given)
    return side.card.structures if side.card else STRUCTURES


def _shared(source: _Side, target: _Side) -> tuple[frozenset[str], frozenset[str]]:
    """The names that two folders have both, as each writes them.

    They may be two people, as every data set has a sub-01, or one in two scanners.

    Raises
    ------
    Problem
        When one person has two names, by a volume that is a copy of another.
    """
    if source.folder.resolve() == target.folder.resolve():
        return frozenset(), frozenset()
    raise_first(list(copies(source.subjects, target.subjects)))
    ours, theirs = ([s.name for s in side.subjects] for side in (source, target))
    return namesakes(ours, theirs), namesakes(theirs, ours)


def _labelled(shared: frozenset[str], sides: tuple[_Side, _Side]) -> frozenset[str]:
    """Those of the names that have a label in both folders: only they are dealt out in both.

    With the others among them, the two sides would draw from two lists, and part one person.
    """
    for side in sides:
        shared = namesakes(sorted(shared), [s.name for s in side.subjects if s.label])
    return shared


def _namesake_notes(
    shared: frozenset[str], ours: dict[str, tuple[str, ...]], theirs: dict[str, tuple[str, ...]]
) -> list[str]:
    """What was done about names that are in both folders, and whom it does not keep apart."""
    if not shared:
        return []
    names = "a name is" if len(shared) == 1 else f"{len(shared)} names are"
    notes = [f"{names} in both folders, dealt out as one person in two scanners"]
    leaking = sorted(namesakes(ours["train"], theirs["test"]))
    if leaking:
        whom = ", ".join(leaking)
        notes.append(f"{whom}: learned from in S and tested in T; rename them if they are others")
    return notes


def _check(side: _Side, conversion: Conversion) -> None:
    """Raise the first problem that headers show, and say how many there are."""
    problems: list[Problem] = []
    for subject in side.subjects:
        problems += file_problems(
            subject, conversion.channels, conversion.structures, headers_only=True
        )
        if side.role == "source" and subject.label is None:
            what = f"{subject.name}/{LABEL_NAMES[0]}.nii.gz: is missing"
            cure = f"since the source is learned from, add {_MASKS}"
            problems.append(Problem(f"{what}; {cure}"))
    raise_first(problems, check_command(side.folder))


def _cohort(
    side: _Side, conversion: Conversion, dealt: dict[str, tuple[str, ...]], *, prefixed: bool
) -> Cohort:
    files = {subject.name: subject for subject in side.subjects}
    prefix = f"{side.role}-" if prefixed else ""

    def split(names: Sequence[str]) -> Split:
        return Split(
            tuple(prefix + name for name in names),
            lambda: [read_subject(files[name], conversion, name=prefix + name) for name in names],
        )

    return Cohort(
        side.card.name if side.card else side.folder.resolve().name,
        conversion.channels,
        conversion.structures,
        train=split(dealt["train"]),
        validation=split(dealt["validation"]),
        test=split(dealt["test"]),
        labels_for_training=side.role == "source",
    )


def _dealt(
    side: _Side, seed: int, folds: int | None, shared: frozenset[str], *, carded: bool
) -> dict[str, tuple[str, ...]]:
    """Names by split: a fold, as cohort.json says, or by the seed; without a label: to adapt to."""
    labelled = [subject.name for subject in side.subjects if subject.label]
    unlabelled = [subject.name for subject in side.subjects if not subject.label]
    first = "train" if side.role == "source" else "test"
    if folds is not None:
        dealt = fold_by_subject(labelled, fold=seed, folds=folds, first=first, shared=shared)
    elif carded and side.card and side.card.splits:
        said = side.card.splits
        dealt = {
            key: tuple(name for name in said.get(key, ()) if name in labelled)
            for key in SPLIT_NAMES
        }
    else:
        dealt = split_by_subject(labelled, seed=seed, first=first, shared=shared)
    return {**dealt, "train": (*dealt["train"], *unlabelled)}


def _notes(side: _Side, cohort: Cohort) -> list[str]:
    notes = []
    empty = [key for key, split in cohort.splits.items() if not split.names]
    if empty:
        used = ", ".join(key for key in cohort.splits if key not in empty)
        count = len(cohort.names)
        people = "one subject" if count == 1 else f"{count} subjects"
        notes.append(f"{side.role}: {people}, used for {used}; nobody for {' and '.join(empty)}")
    unlabelled = sum(subject.label is None for subject in side.subjects)
    if unlabelled:
        notes.append(f"{side.role}: {unlabelled} without a label, to adapt to and not to test on")
    return notes
