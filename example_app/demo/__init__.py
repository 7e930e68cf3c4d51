"""The example application with all that it needs: `python -m example_app.demo`."""
