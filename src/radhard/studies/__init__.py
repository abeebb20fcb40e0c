"""The verbs: sweep, vulnerability, plan, evaluate, compare. They know no console."""
