"""See --help, or `imavatar.cli.reproduce`."""

from imavatar.cli import reproduce_main

if __name__ == "__main__":
    reproduce_main()
