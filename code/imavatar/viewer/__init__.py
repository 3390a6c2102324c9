"""The interactive viewer: an avatar in the browser, moved by sliders."""
