"""Data sets: the layouts of folders and files, the images of a run, and their decoding."""
