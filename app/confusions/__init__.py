"""The parts of the Confusions page: what is compared, the charts, the galleries, filters and tags."""
