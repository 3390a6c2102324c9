"""See --help, or `imavatar.cli.preprocess`."""

from imavatar.cli import preprocess_main

if __name__ == "__main__":
    preprocess_main()
