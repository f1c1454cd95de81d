"""Pictures: files, folders and stacks, whose features are superpixels."""
