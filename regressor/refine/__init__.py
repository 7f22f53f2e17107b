"""What makes a motion better: joints that meet the picture before the fit (UAO), and after it
smoothing, the world's axes and floor, feet that don't slide.
"""

# name: (label, one sentence) of the networks that may refine a motion; menus list them.
REFINEMENTS: dict[str, tuple[str, str]] = {
    "uao": (
        "UAO",
        "Moves a lifter's keypoints until its joints meet the picture and bones keep their length "
        "(TMM 2025).",
    ),
}
