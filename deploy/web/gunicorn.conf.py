"""The web server, from `gunicorn --config gunicorn.conf.py "shop:create_app()"`."""

bind = "0.0.0.0:8000"
workers = 2
threads = 8
# Seconds that requests get to finish when the server ends or reloads.
graceful_timeout = 30
# Off, SIGHUP loads the new code. On, the app is loaded once, before the fork, which saves memory: connections to Redis
# are made anew in each process.
preload_app = False
