"""Who is in the study: subjects, splits, and how they are kept on disk."""

from .study import Cohort, Split, Study, Subject

__all__ = ["Cohort", "Split", "Study", "Subject"]
