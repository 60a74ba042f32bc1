"""The page of runs: its list, what can be done with one, and several side by side."""
