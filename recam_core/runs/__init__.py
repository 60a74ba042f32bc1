"""Runs as a person keeps them: listed, starred, renamed, deleted, compared, packed, and made again."""
