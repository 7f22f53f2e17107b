"""What the user can do, one subject a file; all ids begin with posecast."""
