"""See --help, or `imavatar.cli.split`."""

from imavatar.cli import split_main

if __name__ == "__main__":
    split_main()
