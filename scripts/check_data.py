"""See --help, or `imavatar.cli.check_data`."""

from imavatar.cli import check_data_main

if __name__ == "__main__":
    check_data_main()
