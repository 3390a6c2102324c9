"""See --help, or `imavatar.cli.check_parity`."""

from imavatar.cli import check_parity_main

if __name__ == "__main__":
    check_parity_main()
