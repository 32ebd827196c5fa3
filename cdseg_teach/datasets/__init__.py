"""Public data sets and scans of one's own, on their way to cohorts on disk."""
