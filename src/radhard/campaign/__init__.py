"""Campaigns: what an experiment is, running it, and the store that keeps what was measured."""
