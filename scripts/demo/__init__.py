"""The demo clip: its motion, its looks, the film and the truth. What needs no bpy imports none."""
