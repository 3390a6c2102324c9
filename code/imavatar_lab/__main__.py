"""`python -m imavatar_lab`: the commands about the project itself."""

from imavatar_lab.cli import main

if __name__ == "__main__":
    main()
