"""The table, the sweep over alpha, claims, recorded runs, and the lecture pack."""
