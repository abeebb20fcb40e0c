"""Everything that is measured on a GPU, by one command in a few minutes: `python -m benchmarks.gpu --out FOLDER`.

Parts run one after another and write each result as soon as it is there, so a run that is killed leaves what it had.
`python -m benchmarks.gpu --render FOLDER` makes `results/gpu.md` and its figures from that, anywhere.
"""
