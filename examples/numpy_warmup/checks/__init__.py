"""What is checked, one module per lesson."""
