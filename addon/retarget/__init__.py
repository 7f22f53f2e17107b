"""Motion onto a character of the user's: the maths on arrays, and what Blender has to do with it."""
