"""Who is in the study: subjects, splits, and how they are kept on disk."""

from .brain import brain_study
from .study import Cohort, Split, Study, Subject

__all__ = ["Cohort", "Split", "Study", "Subject", "brain_study"]
