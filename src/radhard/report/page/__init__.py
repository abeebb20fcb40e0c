"""The report: one self-contained HTML page of the results that a store keeps."""
