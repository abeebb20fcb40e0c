"""The verbs: sweep, vulnerability, plan, evaluate, compare ... They return results and print nothing."""
