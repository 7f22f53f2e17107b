"""Sentences in panels, which Blender would cut off at the panel's edge."""

import textwrap

from bpy.types import Context, UILayout

LETTER_PX = 6.3  # mean width of a letter at Blender's own size
MARGIN_PX = 50  # of the panel, a box in it, and the scroll bar
LEAST = 18


def draw_wrapped(
    layout: UILayout, context: Context, text: str, icon: str = "NONE", indent_px: float = 0
) -> None:
    """The text in as many lines as the sidebar's width asks for; `icon` before the first."""
    lines = textwrap.wrap(text, letters(context, indent_px + (20 if icon != "NONE" else 0)))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(lines):
        blank = "BLANK1" if icon != "NONE" else "NONE"
        column.label(text=line, icon=blank if index else icon)


def letters(context: Context, indent_px: float = 0) -> int:
    """How many letters a line of the region holds."""
    width = context.region.width / context.preferences.system.ui_scale
    return max(LEAST, int((width - MARGIN_PX - indent_px) / LETTER_PX))
