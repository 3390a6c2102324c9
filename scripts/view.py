"""See --help, or `imavatar.cli.view`."""

from imavatar.cli import view_main

if __name__ == "__main__":
    view_main()
