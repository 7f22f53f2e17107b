"""Saves Rigify's generated human rig as a .blend: run by Blender, or by a Python with bpy.

In a process of its own, because Blender crashes now and then some time after Rigify was enabled and
the factory settings were read (seen in 4.2 and 4.3).
"""

import os
import sys

import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.preferences.addon_enable(module="rigify")
bpy.ops.object.armature_human_metarig_add()
metarig = bpy.context.view_layer.objects.active
bpy.ops.pose.rigify_generate()
rig = bpy.context.view_layer.objects.active
assert rig != metarig
bpy.data.objects.remove(metarig)
rig.name = "rig"
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1])
os._exit(0)
