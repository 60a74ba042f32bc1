"""The page Why: a question about a place of a picture, and what answers it."""
