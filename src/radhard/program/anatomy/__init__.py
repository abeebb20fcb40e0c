"""Where a site stands in the model: its layer and its module category, and what says so."""
