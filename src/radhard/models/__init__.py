"""Models and data: the trained zoo, any model of timm, checkpoints, and the embedded Fashion-MNIST images."""
