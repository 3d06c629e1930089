"""The figures: counts, sums and moments by group in one pass, the rates made of them, and how far groups lie apart."""
