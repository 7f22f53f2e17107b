"""What networks are trained on: mocap, and later the sets of the field."""
