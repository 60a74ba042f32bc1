"""Error analysis: which classes get confused, where, and how the methods differ in it."""
