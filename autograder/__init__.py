"""The autograder of The Transformer by hand."""
