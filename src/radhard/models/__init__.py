"""Models and data: the trained zoo, loaders for other sources, checkpoints, embedded Fashion-MNIST images."""
