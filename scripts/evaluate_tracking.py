"""See --help, or `imavatar_lab.cli.evaluate_tracking`."""

from imavatar_lab.cli import evaluate_tracking_main

if __name__ == "__main__":
    evaluate_tracking_main()
