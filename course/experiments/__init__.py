"""What the lessons measure, where it takes more lines than a cell should have."""
