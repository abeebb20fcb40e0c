"""The tables, numbers and verdicts that `results/*.md` quote, made from the data beside them: `python -m benchmarks.claims`.

Blocks between `<!-- claims: NAME -->` and `<!-- claims end -->` in these files are written by that command; `--check`
says which are stale. What is outside of such blocks quotes nothing.
"""
