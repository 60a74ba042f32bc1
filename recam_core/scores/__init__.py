"""How well activation maps fit the ground truth: one pass over the pixels, every threshold."""
