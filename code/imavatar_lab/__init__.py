"""What the project measures about itself: its speed, parity with the authors' code, the comparison of methods.

It imports `imavatar`; nothing of `imavatar` imports it.
"""
