"""The selective scan along several paths over an image."""
