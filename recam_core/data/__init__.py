"""Data sets behind one specification string: see :mod:`recam_core.data.spec`."""
