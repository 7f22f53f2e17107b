"""Skeletons by the names that their makers gave them, one bone a line:

    bone parent head tail [joint]

Head and tail are landmarks of rigs.LANDMARKS, `a>b:0.3` a point between two of them. {L|R} stands
for a line a side, the second mirrored; joint is SMPL's that the bone has to follow (without left_
and right_ in lines that have sides), written here by hand.
"""


def _fingers(name: str, hand: str, fingers: str, first: int = 1) -> str:
    """Lines of three bones a finger; FINGER and N in the name are filled in."""
    lines = []
    for place, finger in enumerate(fingers.split()):
        parent = hand
        for n in range(3):
            bone = name.replace("FINGER", finger).replace("N", str(n + first))
            lines.append(f"{bone} {parent} finger{place}{n} finger{place}{n + 1}")
            parent = bone
    return "\n".join(lines)


MIXAMO = """
mixamorig:Hips - hips s:0.15 pelvis
mixamorig:Spine mixamorig:Hips s:0.15 s:0.35 spine1
mixamorig:Spine1 mixamorig:Spine s:0.35 s:0.6 spine2
mixamorig:Spine2 mixamorig:Spine1 s:0.6 neck spine3
mixamorig:Neck mixamorig:Spine2 neck head neck
mixamorig:Head mixamorig:Neck head top head
mixamorig:HeadTop_End mixamorig:Head top over
mixamorig:{Left|Right}Shoulder mixamorig:Spine2 collar shoulder collar
mixamorig:{Left|Right}Arm mixamorig:{Left|Right}Shoulder shoulder elbow shoulder
mixamorig:{Left|Right}ForeArm mixamorig:{Left|Right}Arm elbow wrist elbow
mixamorig:{Left|Right}Hand mixamorig:{Left|Right}ForeArm wrist knuckle wrist
mixamorig:{Left|Right}UpLeg mixamorig:Hips hip knee hip
mixamorig:{Left|Right}Leg mixamorig:{Left|Right}UpLeg knee ankle knee
mixamorig:{Left|Right}Foot mixamorig:{Left|Right}Leg ankle ball ankle
mixamorig:{Left|Right}ToeBase mixamorig:{Left|Right}Foot ball toe foot
mixamorig:{Left|Right}Toe_End mixamorig:{Left|Right}ToeBase toe toe_end
""" + _fingers(
    "mixamorig:{Left|Right}HandFINGERN",
    "mixamorig:{Left|Right}Hand",
    "Thumb Index Middle Ring Pinky",
)

MPFB = """
root - hips s:0.05 pelvis
spine05 root s:0.05 s:0.2
spine04 spine05 s:0.2 s:0.38 spine1
spine03 spine04 s:0.38 s:0.5
spine02 spine03 s:0.5 s:0.65 spine2
spine01 spine02 s:0.65 neck spine3
neck01 spine01 neck neck>head:0.35 neck
neck02 neck01 neck>head:0.35 neck>head:0.7
neck03 neck02 neck>head:0.7 head
head neck03 head top head
jaw head head jaw
eye.{L|R} head eye eye_front
orbicularis03.{L|R} head eye eye_front
breast.{L|R} spine02 s:0.6 nipple
pelvis.{L|R} root hips hip
upperleg01.{L|R} pelvis.{L|R} hip hip>knee:0.4 hip
upperleg02.{L|R} upperleg01.{L|R} hip>knee:0.4 knee
lowerleg01.{L|R} upperleg02.{L|R} knee knee>ankle:0.5 knee
lowerleg02.{L|R} lowerleg01.{L|R} knee>ankle:0.5 ankle
foot.{L|R} lowerleg02.{L|R} ankle ball ankle
toe1-1.{L|R} foot.{L|R} big_toe big_toe>big_toe_end:0.5 foot
toe1-2.{L|R} toe1-1.{L|R} big_toe>big_toe_end:0.5 big_toe_end
toe2-1.{L|R} foot.{L|R} ball ball>toe:0.4
toe2-2.{L|R} toe2-1.{L|R} ball>toe:0.4 toe
toe5-1.{L|R} foot.{L|R} small_toe small_toe>small_toe_end:0.5
toe5-2.{L|R} toe5-1.{L|R} small_toe>small_toe_end:0.5 small_toe_end
clavicle.{L|R} spine01 collar collar>shoulder:0.7 collar
shoulder01.{L|R} clavicle.{L|R} collar>shoulder:0.7 shoulder
upperarm01.{L|R} shoulder01.{L|R} shoulder shoulder>elbow:0.4 shoulder
upperarm02.{L|R} upperarm01.{L|R} shoulder>elbow:0.4 elbow
lowerarm01.{L|R} upperarm02.{L|R} elbow elbow>wrist:0.5 elbow
lowerarm02.{L|R} lowerarm01.{L|R} elbow>wrist:0.5 wrist
wrist.{L|R} lowerarm02.{L|R} wrist wrist>knuckle:0.3 wrist
metacarpal1.{L|R} wrist.{L|R} wrist>knuckle:0.3 finger10
metacarpal2.{L|R} wrist.{L|R} wrist>knuckle:0.3 finger20
""" + _fingers("fingerFINGER-N.{L|R}", "wrist.{L|R}", "1 2 3 4 5")

GAME_ENGINE = """
Root - floor floor>hips:0.1
pelvis Root hips s:0.15 pelvis
spine_01 pelvis s:0.15 s:0.35 spine1
spine_02 spine_01 s:0.35 s:0.6 spine2
spine_03 spine_02 s:0.6 neck spine3
neck_01 spine_03 neck head neck
head neck_01 head top head
clavicle_{l|r} spine_03 collar shoulder collar
upperarm_{l|r} clavicle_{l|r} shoulder elbow shoulder
lowerarm_{l|r} upperarm_{l|r} elbow wrist elbow
hand_{l|r} lowerarm_{l|r} wrist knuckle wrist
thigh_{l|r} pelvis hip knee hip
calf_{l|r} thigh_{l|r} knee ankle knee
foot_{l|r} calf_{l|r} ankle ball ankle
ball_{l|r} foot_{l|r} ball toe foot
""" + _fingers("FINGER_0N_{l|r}", "hand_{l|r}", "thumb index middle ring pinky")

UNREAL = (
    GAME_ENGINE.replace("Root", "root")
    + """
upperarm_twist_01_{l|r} upperarm_{l|r} shoulder>elbow:0.5 elbow
lowerarm_twist_01_{l|r} lowerarm_{l|r} elbow>wrist:0.5 wrist
thigh_twist_01_{l|r} thigh_{l|r} hip>knee:0.5 knee
calf_twist_01_{l|r} calf_{l|r} knee>ankle:0.5 ankle
ik_foot_root root floor floor>hips:0.1
ik_foot_{l|r} ik_foot_root ankle ball
ik_hand_root root floor floor>hips:0.1
ik_hand_gun ik_hand_root wrist knuckle
ik_hand_{l|r} ik_hand_gun wrist knuckle
"""
)

UNREAL5 = (
    UNREAL.replace("spine_03 ", "spine_05 ")
    .replace("spine_01 pelvis s:0.15 s:0.35 spine1", "spine_01 pelvis s:0.05 s:0.2")
    .replace(
        "spine_02 spine_01 s:0.35 s:0.6 spine2",
        "spine_02 spine_01 s:0.2 s:0.35 spine1\n"
        "spine_03 spine_02 s:0.35 s:0.48\n"
        "spine_04 spine_03 s:0.48 s:0.7 spine2",
    )
    .replace("spine_05 spine_02 s:0.6 neck spine3", "spine_05 spine_04 s:0.7 neck spine3")
    .replace("neck_01 spine_05 neck head neck", "neck_01 spine_05 neck neck>head:0.5 neck")
    .replace("head neck_01", "neck_02 neck_01 neck>head:0.5 head\nhead neck_02")
)

UNITY = """
Hips - hips s:0.15 pelvis
Spine Hips s:0.15 s:0.35 spine1
Chest Spine s:0.35 s:0.6 spine2
UpperChest Chest s:0.6 neck spine3
Neck UpperChest neck head neck
Head Neck head top head
Jaw Head head jaw
{Left|Right}Eye Head eye eye_front
{Left|Right}Shoulder UpperChest collar shoulder collar
{Left|Right}UpperArm {Left|Right}Shoulder shoulder elbow shoulder
{Left|Right}LowerArm {Left|Right}UpperArm elbow wrist elbow
{Left|Right}Hand {Left|Right}LowerArm wrist knuckle wrist
{Left|Right}UpperLeg Hips hip knee hip
{Left|Right}LowerLeg {Left|Right}UpperLeg knee ankle knee
{Left|Right}Foot {Left|Right}LowerLeg ankle ball ankle
{Left|Right}Toes {Left|Right}Foot ball toe foot
""" + _fingers("{Left|Right}FINGER.N", "{Left|Right}Hand", "Thumb Index Middle Ring Little")

VRM = """
Root - floor floor>hips:0.1
J_Bip_C_Hips Root hips s:0.15 pelvis
J_Bip_C_Spine J_Bip_C_Hips s:0.15 s:0.35 spine1
J_Bip_C_Chest J_Bip_C_Spine s:0.35 s:0.6 spine2
J_Bip_C_UpperChest J_Bip_C_Chest s:0.6 neck spine3
J_Bip_C_Neck J_Bip_C_UpperChest neck head neck
J_Bip_C_Head J_Bip_C_Neck head top head
J_Adj_{L|R}_FaceEye J_Bip_C_Head eye eye_front
J_Sec_Hair1_01 J_Bip_C_Head top back
J_Sec_Hair2_01 J_Sec_Hair1_01 back back_low
J_Sec_Hair3_01 J_Sec_Hair2_01 back_low back_lowest
J_Sec_Hair{1|2}_02 J_Bip_C_Head plait plait_low
J_Sec_Hair{1|2}_03 J_Sec_Hair{1|2}_02 plait_low plait_lowest
J_Sec_{L|R}_Bust1 J_Bip_C_UpperChest s:0.6 nipple
J_Sec_{L|R}_SkirtSide0_01 J_Bip_C_Hips hip skirt
J_Sec_{L|R}_SkirtSide1_01 J_Sec_{L|R}_SkirtSide0_01 skirt skirt_low
J_Sec_{L|R}_SkirtSide2_01 J_Sec_{L|R}_SkirtSide1_01 skirt_low skirt_lowest
J_Bip_{L|R}_Shoulder J_Bip_C_UpperChest collar shoulder collar
J_Bip_{L|R}_UpperArm J_Bip_{L|R}_Shoulder shoulder elbow shoulder
J_Bip_{L|R}_LowerArm J_Bip_{L|R}_UpperArm elbow wrist elbow
J_Bip_{L|R}_Hand J_Bip_{L|R}_LowerArm wrist knuckle wrist
J_Bip_{L|R}_UpperLeg J_Bip_C_Hips hip knee hip
J_Bip_{L|R}_LowerLeg J_Bip_{L|R}_UpperLeg knee ankle knee
J_Bip_{L|R}_Foot J_Bip_{L|R}_LowerLeg ankle ball ankle
J_Bip_{L|R}_ToeBase J_Bip_{L|R}_Foot ball toe foot
""" + _fingers("J_Bip_{L|R}_FINGERN", "J_Bip_{L|R}_Hand", "Thumb Index Middle Ring Little")

AUTORIG_EXPORT = """
root.x - hips s:0.15 pelvis
spine_01.x root.x s:0.15 s:0.35 spine1
spine_02.x spine_01.x s:0.35 s:0.6 spine2
spine_03.x spine_02.x s:0.6 neck spine3
neck.x spine_03.x neck head neck
head.x neck.x head top head
shoulder.{l|r} spine_03.x collar shoulder collar
arm_stretch.{l|r} shoulder.{l|r} shoulder elbow shoulder
arm_twist.{l|r} arm_stretch.{l|r} shoulder shoulder>elbow:0.5
forearm_stretch.{l|r} arm_stretch.{l|r} elbow wrist elbow
forearm_twist.{l|r} forearm_stretch.{l|r} elbow>wrist:0.5 wrist
hand.{l|r} forearm_stretch.{l|r} wrist knuckle wrist
thigh_stretch.{l|r} root.x hip knee hip
thigh_twist.{l|r} thigh_stretch.{l|r} hip hip>knee:0.5
leg_stretch.{l|r} thigh_stretch.{l|r} knee ankle knee
leg_twist.{l|r} leg_stretch.{l|r} knee>ankle:0.5 ankle
foot.{l|r} leg_stretch.{l|r} ankle ball ankle
toes_01.{l|r} foot.{l|r} ball toe foot
""" + _fingers("c_FINGERN.{l|r}", "hand.{l|r}", "thumb index middle ring pinky")

# The controls, beside the deforming bones, which follow them in the real one.
AUTORIG = """
c_pos - floor floor>hips:0.2
c_traj c_pos floor floor>hips:0.1
c_root_master.x c_traj hips s:0.15 pelvis
c_root.x c_root_master.x hips s:0.15
c_spine_01.x c_root_master.x s:0.15 s:0.35 spine1
c_spine_02.x c_spine_01.x s:0.35 s:0.6 spine2
c_spine_03.x c_spine_02.x s:0.6 neck spine3
c_neck.x c_spine_03.x neck head neck
c_head.x c_neck.x head top head
c_shoulder.{l|r} c_spine_03.x collar shoulder collar
c_arm_fk.{l|r} c_shoulder.{l|r} shoulder elbow shoulder
c_forearm_fk.{l|r} c_arm_fk.{l|r} elbow wrist elbow
c_hand_fk.{l|r} c_forearm_fk.{l|r} wrist knuckle wrist
c_hand_ik.{l|r} c_traj wrist knuckle
c_arms_pole.{l|r} c_traj elbow elbow_back
c_thigh_b.{l|r} c_root.x hip>hips:0.3 hip
c_thigh_fk.{l|r} c_thigh_b.{l|r} hip knee hip
c_leg_fk.{l|r} c_thigh_fk.{l|r} knee ankle knee
c_foot_fk.{l|r} c_leg_fk.{l|r} ankle ball ankle
c_toes_fk.{l|r} c_foot_fk.{l|r} ball toe foot
c_foot_ik.{l|r} c_traj ankle ball
c_leg_pole.{l|r} c_traj knee knee_front
""" + "\n".join(" ".join(line.split()[:4]) for line in AUTORIG_EXPORT.strip().splitlines()).replace(
    "root.x -", "root.x c_root.x"
)

CMU = """
Hips - hips s:0.12 pelvis
LowerBack Hips s:0.12 s:0.35 spine1
Spine LowerBack s:0.35 s:0.6 spine2
Spine1 Spine s:0.6 neck spine3
Neck Spine1 neck neck>head:0.5 neck
Neck1 Neck neck>head:0.5 head
Head Neck1 head top head
{L|R}HipJoint Hips hips hip
{Left|Right}UpLeg {L|R}HipJoint hip knee hip
{Left|Right}Leg {Left|Right}UpLeg knee ankle knee
{Left|Right}Foot {Left|Right}Leg ankle ball ankle
{Left|Right}ToeBase {Left|Right}Foot ball toe foot
{Left|Right}Shoulder Spine1 collar shoulder collar
{Left|Right}Arm {Left|Right}Shoulder shoulder elbow shoulder
{Left|Right}ForeArm {Left|Right}Arm elbow wrist elbow
{Left|Right}Hand {Left|Right}ForeArm wrist wrist>knuckle:0.6 wrist
{Left|Right}FingerBase {Left|Right}Hand wrist>knuckle:0.6 knuckle
{Left|Right}HandIndex1 {Left|Right}FingerBase knuckle finger13
{L|R}Thumb {Left|Right}Hand wrist finger01
"""

HUMANIK = (
    MIXAMO.replace("mixamorig:", "")
    .replace("Spine2", "Spine3")
    .replace("Spine1", "Spine2")
    .replace("Spine ", "Spine1 ")
    .replace("Spine1 Hips", "Spine Hips s:0.05 s:0.15\nSpine1 Spine")
)

BIPED = """
Bip01 - hips s:0.05
Bip01_Pelvis Bip01 hips s:0.1 pelvis
Bip01_Spine Bip01_Pelvis s:0.1 s:0.3 spine1
Bip01_Spine1 Bip01_Spine s:0.3 s:0.6 spine2
Bip01_Spine2 Bip01_Spine1 s:0.6 neck spine3
Bip01_Neck Bip01_Spine2 neck head neck
Bip01_Head Bip01_Neck head top head
Bip01_{L|R}_Clavicle Bip01_Neck collar shoulder collar
Bip01_{L|R}_UpperArm Bip01_{L|R}_Clavicle shoulder elbow shoulder
Bip01_{L|R}_Forearm Bip01_{L|R}_UpperArm elbow wrist elbow
Bip01_{L|R}_Hand Bip01_{L|R}_Forearm wrist knuckle wrist
Bip01_{L|R}_Thigh Bip01_Pelvis hip knee hip
Bip01_{L|R}_Calf Bip01_{L|R}_Thigh knee ankle knee
Bip01_{L|R}_Foot Bip01_{L|R}_Calf ankle ball ankle
Bip01_{L|R}_Toe0 Bip01_{L|R}_Foot ball toe foot
""" + _fingers("Bip01_{L|R}_FingerFINGERN", "Bip01_{L|R}_Hand", "0 1 2 3 4", first=0)

DAZ = """
hip - hips s:0.08 pelvis
pelvis hip s:0.08 hips
abdomenLower hip s:0.1 s:0.25
abdomenUpper abdomenLower s:0.25 s:0.42 spine1
chestLower abdomenUpper s:0.42 s:0.68 spine2
chestUpper chestLower s:0.68 neck spine3
neckLower chestUpper neck neck>head:0.5 neck
neckUpper neckLower neck>head:0.5 head
head neckUpper head top head
lowerJaw head head jaw
{l|r}Eye head eye eye_front
{l|r}Pectoral chestLower s:0.6 nipple
{l|r}Collar chestUpper collar shoulder collar
{l|r}ShldrBend {l|r}Collar shoulder shoulder>elbow:0.5 shoulder
{l|r}ShldrTwist {l|r}ShldrBend shoulder>elbow:0.5 elbow
{l|r}ForearmBend {l|r}ShldrTwist elbow elbow>wrist:0.5 elbow
{l|r}ForearmTwist {l|r}ForearmBend elbow>wrist:0.5 wrist
{l|r}Hand {l|r}ForearmTwist wrist knuckle wrist
{l|r}ThighBend pelvis hip hip>knee:0.5 hip
{l|r}ThighTwist {l|r}ThighBend hip>knee:0.5 knee
{l|r}Shin {l|r}ThighTwist knee ankle knee
{l|r}Foot {l|r}Shin ankle ankle>ball:0.6 ankle
{l|r}Metatarsals {l|r}Foot ankle>ball:0.6 ball
{l|r}Toe {l|r}Metatarsals ball toe foot
{l|r}BigToe {l|r}Toe big_toe big_toe_end
""" + _fingers("{l|r}FINGERN", "{l|r}Hand", "Thumb Index Mid Ring Pinky")

CC = """
RL_BoneRoot - floor floor>hips:0.1
CC_Base_Hip RL_BoneRoot hips s:0.08 pelvis
CC_Base_Pelvis CC_Base_Hip s:0.08 hips
CC_Base_Waist CC_Base_Hip s:0.12 s:0.32 spine1
CC_Base_Spine01 CC_Base_Waist s:0.32 s:0.6 spine2
CC_Base_Spine02 CC_Base_Spine01 s:0.6 neck spine3
CC_Base_NeckTwist01 CC_Base_Spine02 neck neck>head:0.5 neck
CC_Base_NeckTwist02 CC_Base_NeckTwist01 neck>head:0.5 head
CC_Base_Head CC_Base_NeckTwist02 head top head
CC_Base_JawRoot CC_Base_Head head jaw
CC_Base_{L|R}_Eye CC_Base_Head eye eye_front
CC_Base_{L|R}_Breast CC_Base_Spine02 s:0.6 nipple
CC_Base_{L|R}_Clavicle CC_Base_Spine02 collar shoulder collar
CC_Base_{L|R}_Upperarm CC_Base_{L|R}_Clavicle shoulder elbow shoulder
CC_Base_{L|R}_UpperarmTwist01 CC_Base_{L|R}_Upperarm shoulder shoulder>elbow:0.5
CC_Base_{L|R}_UpperarmTwist02 CC_Base_{L|R}_Upperarm shoulder>elbow:0.5 elbow
CC_Base_{L|R}_ElbowShareBone CC_Base_{L|R}_Forearm elbow elbow_back
CC_Base_{L|R}_Forearm CC_Base_{L|R}_Upperarm elbow wrist elbow
CC_Base_{L|R}_ForearmTwist01 CC_Base_{L|R}_Forearm elbow elbow>wrist:0.5
CC_Base_{L|R}_ForearmTwist02 CC_Base_{L|R}_Forearm elbow>wrist:0.5 wrist
CC_Base_{L|R}_Hand CC_Base_{L|R}_Forearm wrist knuckle wrist
CC_Base_{L|R}_Thigh CC_Base_Pelvis hip knee hip
CC_Base_{L|R}_ThighTwist01 CC_Base_{L|R}_Thigh hip hip>knee:0.5
CC_Base_{L|R}_Calf CC_Base_{L|R}_Thigh knee ankle knee
CC_Base_{L|R}_KneeShareBone CC_Base_{L|R}_Calf knee knee_front
CC_Base_{L|R}_CalfTwist01 CC_Base_{L|R}_Calf knee knee>ankle:0.5
CC_Base_{L|R}_Foot CC_Base_{L|R}_Calf ankle ball ankle
CC_Base_{L|R}_ToeBase CC_Base_{L|R}_Foot ball toe foot
CC_Base_{L|R}_BigToe1 CC_Base_{L|R}_ToeBase big_toe big_toe_end
""" + _fingers("CC_Base_{L|R}_FINGERN", "CC_Base_{L|R}_Hand", "Thumb Index Mid Ring Pinky")

SMPL = """
m_avg_root - floor floor>hips:0.1
m_avg_Pelvis m_avg_root hips s:0.15 pelvis
m_avg_Spine1 m_avg_Pelvis s:0.2 s:0.45 spine1
m_avg_Spine2 m_avg_Spine1 s:0.45 s:0.6 spine2
m_avg_Spine3 m_avg_Spine2 s:0.6 neck spine3
m_avg_Neck m_avg_Spine3 neck head neck
m_avg_Head m_avg_Neck head top head
m_avg_{L|R}_Hip m_avg_Pelvis hip knee hip
m_avg_{L|R}_Knee m_avg_{L|R}_Hip knee ankle knee
m_avg_{L|R}_Ankle m_avg_{L|R}_Knee ankle ball ankle
m_avg_{L|R}_Foot m_avg_{L|R}_Ankle ball toe foot
m_avg_{L|R}_Collar m_avg_Spine3 collar shoulder collar
m_avg_{L|R}_Shoulder m_avg_{L|R}_Collar shoulder elbow shoulder
m_avg_{L|R}_Elbow m_avg_{L|R}_Shoulder elbow wrist elbow
m_avg_{L|R}_Wrist m_avg_{L|R}_Elbow wrist knuckle wrist
m_avg_{L|R}_Hand m_avg_{L|R}_Wrist knuckle finger13 hand
"""

TABLES = {
    "mixamo": MIXAMO,
    "mpfb": MPFB,
    "game_engine": GAME_ENGINE,
    "unreal": UNREAL,
    "unreal5": UNREAL5,
    "unity": UNITY,
    "vrm": VRM,
    "autorig": AUTORIG,
    "autorig_export": AUTORIG_EXPORT,
    "cmu": CMU,
    "humanik": HUMANIK,
    "biped": BIPED.replace("_", "~"),
    "valve": BIPED.replace("Bip01", "ValveBiped.Bip01")
    .replace("ValveBiped.Bip01 - hips s:0.05\n", "")
    .replace("_Pelvis ValveBiped.Bip01 hips", "_Pelvis - hips")
    .replace("_Neck", "_Neck1")
    .replace("_Head", "_Head1"),
    "daz": DAZ,
    "cc": CC,
    "smpl": SMPL,
}
