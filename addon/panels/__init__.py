"""What the user sees in the sidebar's tab Posecast; drawing reads, it never computes."""
