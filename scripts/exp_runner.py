"""See --help, or `imavatar.cli.exp_runner`."""

from imavatar.cli import exp_runner_main

if __name__ == "__main__":
    exp_runner_main()
