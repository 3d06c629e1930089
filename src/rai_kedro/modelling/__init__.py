"""Building, fitting and splitting for the model itself; scikit-learn only."""
