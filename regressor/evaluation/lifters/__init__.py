"""Errors of 2D-to-3D lifters, several networks beside each other."""
