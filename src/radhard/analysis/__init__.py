"""Analysis: rates and their intervals, and the curves made of them."""
