"""The paper's twelve claims, judged from the records of the commands that measure them."""
