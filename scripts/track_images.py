"""See --help, or `imavatar.cli.track_images`."""

from imavatar.cli import track_images_main

if __name__ == "__main__":
    track_images_main()
