"""What else a network can be asked about its maps: attribution methods, one table, one form of result."""
