"""Motion onto a user's character: the maths on arrays, and what Blender has to do with it."""
