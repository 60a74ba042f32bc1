"""Why the method works: what the two losses do to logits, to a data set, to weights; and the equations, shown."""
