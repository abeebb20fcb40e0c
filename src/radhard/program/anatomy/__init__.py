"""Anatomy: the layer and the module category of every site, and their source."""
