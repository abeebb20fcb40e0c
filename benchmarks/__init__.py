"""Speed as ratios, each against a reference measured in the same run. Results stand in RESULTS.md."""
