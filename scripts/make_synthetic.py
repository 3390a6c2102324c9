"""See --help, or `imavatar.cli.make_synthetic`."""

from imavatar.cli import make_synthetic_main

if __name__ == "__main__":
    make_synthetic_main()
