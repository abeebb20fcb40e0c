"""Reports: tables, figures, CSV and JSON. Each figure computes its data first and draws it second."""
