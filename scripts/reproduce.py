"""See --help, or `imavatar_lab.cli.reproduce`."""

from imavatar_lab.cli import reproduce_main

if __name__ == "__main__":
    reproduce_main()
