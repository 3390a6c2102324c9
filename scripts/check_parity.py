"""See --help, or `imavatar_lab.cli.check_parity`."""

from imavatar_lab.cli import check_parity_main

if __name__ == "__main__":
    check_parity_main()
