"""From a camera and the fields to points, normals and colours."""
