"""See --help, or `imavatar.cli.evaluate`."""

from imavatar.cli import evaluate_main

if __name__ == "__main__":
    evaluate_main()
