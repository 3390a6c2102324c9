"""See --help, or `imavatar.cli.fetch_assets`."""

from imavatar.cli import fetch_assets_main

if __name__ == "__main__":
    fetch_assets_main()
