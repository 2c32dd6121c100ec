"""What happened, read from the record: history, matrix, metrics, drift, and the proof that gates were passed."""
