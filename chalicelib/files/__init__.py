"""Files: uploaded, looked at before anybody gets them, and served so that nothing in them can run."""
