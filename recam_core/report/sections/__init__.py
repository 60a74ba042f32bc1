"""The parts of a report, one file each: from the gathered data to markup."""
