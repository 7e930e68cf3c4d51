"""One module a page: what its template is given, and what its forms do. None knows Flask-Admin."""
