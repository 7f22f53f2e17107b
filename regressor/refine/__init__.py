"""What comes after the fit: smoothing, the world's axes and floor, feet that don't slide."""

# name: (label, one sentence) of the networks that may refine a motion; menus list them.
REFINEMENTS: dict[str, tuple[str, str]] = {}
