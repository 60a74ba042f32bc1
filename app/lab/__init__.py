"""The parts of the Lab page: what is tried on which pictures, jobs, charts, tables, and the maps behind a point."""
