"""What comes after the fit: smoothing, the world's axes and floor, feet that don't slide."""
