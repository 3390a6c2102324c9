"""See --help, or `imavatar.cli.animate`."""

from imavatar.cli import animate_main

if __name__ == "__main__":
    animate_main()
