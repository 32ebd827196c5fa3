"""Claims of the lecture, checked where they are made."""

from __future__ import annotations

from dataclasses import dataclass

from cdseg_teach.problems import Problem

KINDS = ("live", "recorded")


class Score(float):
    """A number in points from the lecture pack, with the seeds, date and machine of its runs."""

    seeds: tuple[int, ...]
    date: str
    machine: str

    def __new__(cls, value: float, seeds: tuple[int, ...], date: str, machine: str) -> Score:
        """Make a float that remembers where it comes from."""
        score = super().__new__(cls, value)
        score.seeds, score.date, score.machine = seeds, date, machine
        return score

    @property
    def origin(self) -> str:
        """Seeds, date and machine, as a reader is told them."""
        return f"seeds {', '.join(map(str, self.seeds))}; {self.date}; {self.machine}"


@dataclass(frozen=True)
class Claim:
    """What was claimed and whether it holds; its repr has no digit that a machine decides."""

    text: str
    holds: bool
    by: float
    origin: str

    def __repr__(self) -> str:
        verdict = "holds" if self.holds else "does not hold"
        return f"«{verdict}» {self.text} (by more than {self.by:g} points; {self.origin})"


def claim(text: str, better: float, worse: float, by: float = 0.0, kind: str = "live") -> Claim:
    """Say whether better - worse > by, in points; print the verdict and return it.

    Parameters
    ----------
    text
        The claim as a sentence.
    better, worse
        Numbers in points (a DSC in percent). What is not a number holds nothing.
    by
        The margin asked for, in points; wide for a live claim, which is one short run.
    kind
        `"live"`: computed here and now, from one seed; `"recorded"`: both numbers are `Score`s of
        the lecture pack (`lecture_pack().score(...)`), whose seeds, date and machine are shown.

    Raises
    ------
    Problem
        For another kind, or a recorded claim about numbers that are not from the pack; never for
        what the numbers are.
    """
    if kind not in KINDS:
        raise Problem(f"kind {kind!r} is not one of {', '.join(map(repr, KINDS))}")
    origin = "live: one seed, one short run"
    if kind == "recorded":
        if not (isinstance(better, Score) and isinstance(worse, Score)):
            raise Problem("a recorded claim takes its numbers from lecture_pack().score(...)")
        origins = dict.fromkeys((better.origin, worse.origin))
        origin = f"recorded: {' and '.join(origins)}"
    # NaN compares as False: the claim does not hold.
    verdict = Claim(text, bool(float(better) - float(worse) > by), float(by), origin)
    print(verdict)
    return verdict
