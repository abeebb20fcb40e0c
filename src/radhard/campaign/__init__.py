"""Campaigns: definitions of experiments, their execution, and the store that keeps the outcomes."""
