"""Full trainings as processes of their own: a queue per device that outlives whoever started it."""
