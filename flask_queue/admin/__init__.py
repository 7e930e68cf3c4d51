"""The dashboard: pages of Flask-Admin that show and steer every job.

Import `flask_queue.admin.views.QueueView` to change it; nothing here is imported before an app has a dashboard.
"""
