"""The only floor that touches the outside; each outside library has one room here and its exceptions stop at that door."""
