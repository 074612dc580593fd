"""The model answers, one module per lesson."""
