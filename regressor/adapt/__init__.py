"""A lifter made for footage of which only 2D keypoints are known: PoseDA.

Chai, Jiang, Hwang and Wang, "Global Adaptation meets Local Generalization", ICCV 2023. Its authors
published one function, the global position alignment (`gpa.py`); the rest is built after the works
that theirs stands on, PoseAug (CVPR 2021) and AdaptPose (CVPR 2022), and what no public text says
is said where it was chosen, under "Choices". `python -m regressor.train adapt` is the command.
"""
