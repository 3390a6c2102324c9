"""An avatar as a mesh that moves as it does: what viewers show and files hold."""
