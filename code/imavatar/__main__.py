"""`python -m imavatar`: the commands, as `imavatar` on the command line."""

from imavatar.cli import main

if __name__ == "__main__":
    main()
