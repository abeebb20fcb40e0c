"""The paper's figures and claims by one verb: what is measured, how long it takes, the verb, what it writes."""
