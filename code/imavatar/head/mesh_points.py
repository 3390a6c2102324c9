"""Which of the 468 face-mesh landmarks lie where. Left and right are the subject's own."""

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The outline of the face, a closed loop from the middle of the forehead over the left side."""

UPPER_LIP_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_LIP_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_LIP_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""From the right corner of the mouth to the left one."""

LIPS_OUTER = (*UPPER_LIP_OUTER, *LOWER_LIP_OUTER[-2:0:-1])
LIPS_INNER = (*UPPER_LIP_INNER, *LOWER_LIP_INNER[-2:0:-1])
"""Closed loops."""

UPPER_LIP_POINTS = (*UPPER_LIP_OUTER[1:-1], *UPPER_LIP_INNER[1:-1])
LOWER_LIP_POINTS = (*LOWER_LIP_OUTER[1:-1], *LOWER_LIP_INNER[1:-1])
"""Without the corners of the mouth, which belong to both."""

RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
"""Closed loops along the lids, from the outer corner over the upper lid."""

RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
"""Closed loops: the upper edge inwards, the lower edge back."""

NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327)

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (263, 362)
"""Outer and inner corner."""

IBUG_FROM_MESH = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(70, 63, 105, 66, 107),
    *(336, 296, 334, 293, 300),
    *(168, 197, 5, 4),
    *(98, 97, 2, 326, 327),
    *(33, 160, 158, 133, 153, 144),
    *(362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
"""The 68 points of iBUG, in its order: outline, brows, nose, eyes, outer and inner lips."""
