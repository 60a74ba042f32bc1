"""The page Theory, one file a section."""
