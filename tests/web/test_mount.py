"""Where the dashboard can be put, and how an app makes it its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_admin.base import Admin, AdminIndexView, expose
from flask_admin.theme import Bootstrap4Theme
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_queue import ConfigError, FlaskQueue, Queue
from flask_queue.admin.views import QueueView

from .conftest import HOME, Report, SendEmail, post, token_of

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

#: Every page that takes no argument.
PAGES = ("", "jobs/", "failures/", "queue/", "queue/emails/", "workers/", "audit/", "about/")


class Shop:
    """What an app's factory does, in the order that a test wants."""

    def __init__(self, redis_url: str, folder: Path | None = None, **options: Any) -> None:
        self.app = Flask("shop", root_path=str(folder) if folder else None, **options)
        self.app.config.update(SECRET_KEY="not so secret", TESTING=True, QUEUE_REDIS_URL=redis_url)

    def queue(self, admin: object = None) -> FlaskQueue:
        """Add the extension."""
        queues = [Queue("default"), Queue("emails")]
        return FlaskQueue(self.app, queues=queues, jobs=[SendEmail, Report], admin=admin)


@pytest.fixture
def shop(redis_url: str, tmp_path: Path) -> Shop:
    """An app without a dashboard yet, with a folder of its own for templates."""
    return Shop(redis_url, tmp_path)


def works(visitor: Any, home: str, **options: Any) -> None:
    """Every page is there with its files, and a button does what it says and leads back."""
    for path in PAGES:
        page = visitor.get(home + path, **options)
        assert page.status_code == 200, f"{home}{path}: {page.text}"
    page = visitor.get(home, **options)
    for address in files_of(page.text):
        with visitor.get(address, **options) as file:
            assert file.status_code == 200, address
    fields = {"csrf_token": page_token(page.text), "back": f"{home}queue/emails/"}
    for verb in ("pause", "resume"):
        answer = visitor.post(f"{home}queue/emails/{verb}", data=fields, **options)
        assert (answer.status_code, answer.headers.get("Location")) == (303, f"{home}queue/emails/")


def files_of(page: str) -> list[str]:
    """The addresses of our own styles and scripts."""
    return [part.partition('"')[0] for part in page.split('="')[1:] if "/queues/static/" in part.partition('"')[0]]


def page_token(page: str) -> str:
    """What forms are sent with."""
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def test_it_is_at_admin_by_itself(shop: Shop) -> None:
    """An app without an Admin gets one."""
    shop.queue()
    works(shop.app.test_client(), HOME)


def test_the_only_admin_of_an_app_is_adopted(shop: Shop) -> None:
    """Wherever that is."""
    Admin(shop.app, name="Shop", url="/back-office", endpoint="office")
    shop.queue()
    works(shop.app.test_client(), "/back-office/queues/")
    assert shop.app.test_client().get("/admin/").status_code == 404


def test_an_admin_may_be_at_the_root(shop: Shop) -> None:
    """The dashboard is then at `/queues/`."""
    Admin(shop.app, index_view=AdminIndexView(url="/"), url="/")
    shop.queue()
    works(shop.app.test_client(), "/queues/")


def test_of_two_admins_the_named_one_gets_it(shop: Shop) -> None:
    """Where one is at `/admin`, somebody has to say which; a view that one has already is kept."""
    Admin(shop.app, name="Shop")
    office = Admin(shop.app, name="Office", url="/office", endpoint="office")
    with pytest.raises(ConfigError, match="admin="):
        shop.queue()
    shop.queue(admin=office)
    works(shop.app.test_client(), "/office/queues/")
    assert shop.app.test_client().get(HOME).status_code == 404


def test_two_admins_may_both_have_it(shop: Shop) -> None:
    """Each with an endpoint of its own; the links of one lead to pages of the same one."""
    first = Admin(shop.app, name="Shop")
    second = Admin(shop.app, name="Office", url="/office", endpoint="office")
    first.add_view(QueueView())
    second.add_view(QueueView(endpoint="office_queues"))
    shop.queue(admin=first)
    for home in (HOME, "/office/queues/"):
        works(shop.app.test_client(), home)
    assert HOME not in shop.app.test_client().get("/office/queues/").text


def test_it_may_be_inside_of_a_category(shop: Shop) -> None:
    """The menu shows the category, and the dashboard in it."""
    admin = Admin(shop.app)
    admin.add_view(QueueView("Background jobs", category="Operations"))
    shop.queue()
    works(shop.app.test_client(), HOME)
    page = shop.app.test_client().get(HOME).text
    assert page.index("Operations</summary>") < page.index(">Background jobs</a>")


def test_it_may_have_another_address(shop: Shop) -> None:
    """As every view of Flask-Admin."""
    admin = Admin(shop.app)
    admin.add_view(QueueView(url="/ops/queues"))
    shop.queue()
    works(shop.app.test_client(), "/ops/queues/")


@pytest.mark.parametrize("has_own", [False, True])
def test_hosts_may_be_told_apart(redis_url: str, has_own: bool) -> None:
    """An Admin of the app is on its host alone, one that we make on each of them."""
    shop = Shop(redis_url, host_matching=True, static_host="shop.example")
    if has_own:
        Admin(shop.app, host="shop.example")
    shop.queue()
    visitor = shop.app.test_client()
    works(visitor, HOME, base_url="http://shop.example")
    assert visitor.get(HOME, base_url="http://other.example").status_code == (404 if has_own else 200)


def test_it_may_be_on_a_subdomain(redis_url: str) -> None:
    """Of the server that the app names."""
    shop = Shop(redis_url, subdomain_matching=True)
    shop.app.config["SERVER_NAME"] = "shop.example"
    Admin(shop.app, subdomain="office")
    shop.queue()
    works(shop.app.test_client(), HOME, base_url="http://office.shop.example")


def test_below_a_prefix_all_links_and_forms_lead_to_it(shop: Shop) -> None:
    """The app is mounted at `/shop`, as a server or a proxy does it."""
    shop.app.config["APPLICATION_ROOT"] = "/shop"
    shop.queue()
    mounted = Client(DispatcherMiddleware(Flask("nothing"), {"/shop": shop.app}))
    works(mounted, f"/shop{HOME}")
    for path in (f"{HOME}queue/emails/?range=7d", HOME):
        page = mounted.get("/shop" + path).text
        assert f'name="back" value="/shop{path}"' in page
        assert 'href="/admin' not in page
    assert f'href="/shop{HOME}queue/nowhere/"' in mounted.get(f"/shop{HOME}queue/nowhere/").text


def test_a_factory_may_be_called_twice(redis_url: str) -> None:
    """One extension, and one Admin that is made once or for each app."""
    admin = Admin(name="Shop")
    for shared in (admin, None):
        queue = FlaskQueue(queues=[Queue("emails")], admin=shared)
        for _ in range(2):
            app = Shop(redis_url).app
            (shared or Admin()).init_app(app)
            queue.init_app(app)
            works(app.test_client(), HOME)
    assert sum(isinstance(view, QueueView) for view in admin._views) == 1


def test_the_admin_may_be_initialised_after_the_extension(redis_url: str) -> None:
    """If it is named."""
    admin, shop = Admin(), Shop(redis_url)
    shop.queue(admin=admin)
    admin.init_app(shop.app)
    works(shop.app.test_client(), HOME)


def test_what_is_no_admin_is_refused(shop: Shop) -> None:
    """With what to give instead."""
    with pytest.raises(ConfigError, match=r"flask_admin\.Admin"):
        shop.queue(admin="yes")


def template(folder: Path, name: str, text: str) -> None:
    """A template of the app's own."""
    path = folder / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_app_overrides_a_part_of_a_page(shop: Shop, tmp_path: Path) -> None:
    """A template of the same name extends ours with a `!` before it, and fills a block."""
    text = "{% extends '!flask_queue/overview.html' %}{% block queues %}<p>Shop rules</p>{{ super() }}{% endblock %}"
    template(tmp_path, "flask_queue/overview.html", text)
    shop.queue()
    works(shop.app.test_client(), HOME)
    page = shop.app.test_client().get(HOME).text
    assert page.index("<p>Shop rules</p>") < page.index('id="queue-emails"')


def test_an_app_overrides_what_all_pages_have(shop: Shop, tmp_path: Path) -> None:
    """The layout, also for pages that are not overridden."""
    text = "{% extends '!flask_queue/layout.html' %}{% block messages %}<p>Ask Ada first</p>{% endblock %}"
    template(tmp_path, "flask_queue/layout.html", text)
    shop.queue()
    works(shop.app.test_client(), HOME)
    for path in PAGES:
        assert "<p>Ask Ada first</p>" in shop.app.test_client().get(HOME + path).text


@pytest.mark.parametrize("name", ["admin/base.html", "shop_base.html"])
def test_the_apps_own_base_template_is_extended(shop: Shop, tmp_path: Path, name: str) -> None:
    """Whether it replaces Flask-Admin's or is named by the theme; its content policy is the app's affair."""
    body = "<!doctype html><title>{% block title %}{% endblock %}</title>{% block head_css %}{% endblock %}"
    body += "{% block head %}{% endblock %}<p>Shop</p>{% block messages %}{% endblock %}{% block page_title %}"
    body += "<h4>Queues</h4>{% endblock %}{% block body %}{% endblock %}{% block tail %}{% endblock %}"
    template(tmp_path, name, body)
    Admin(shop.app, theme=Bootstrap4Theme(base_template=name))
    shop.queue()
    works(shop.app.test_client(), HOME)
    page = shop.app.test_client().get(HOME)
    assert "<p>Shop</p>" in page.text
    assert "<h4>" not in page.text
    assert "Content-Security-Policy" not in page.headers


def test_the_stock_base_template_can_be_asked_for(shop: Shop, tmp_path: Path) -> None:
    """By a template that does nothing but extend it: Flask-Admin's look, with all that is ours in it."""
    template(tmp_path, "shop_base.html", "{% extends 'admin/base.html' %}")
    Admin(shop.app, theme=Bootstrap4Theme(base_template="shop_base.html"))
    shop.queue()
    works(shop.app.test_client(), HOME)
    assert "bootstrap.min.css" in shop.app.test_client().get(HOME).text


def test_a_nonce_of_the_app_is_on_every_script_and_style(shop: Shop) -> None:
    """Its policy is the app's, and a nonce makes no other page of it."""
    nonces = iter(range(1000))
    Admin(shop.app, csp_nonce_generator=lambda: f"n{next(nonces)}")
    shop.queue()
    visitor = shop.app.test_client()
    page = visitor.get(HOME, headers={"X-Flask-Queue-Live": "1"})
    tags = [tag for tag in page.text.split("<") if tag.startswith(("script", "link rel"))]
    assert all('nonce="n' in tag for tag in tags if "icon.svg" not in tag or "stylesheet" in tag)
    assert "Content-Security-Policy" not in page.headers
    known = {"X-Flask-Queue-Live": "1", "If-None-Match": page.headers["ETag"]}
    token_of(visitor)
    again = visitor.get(HOME, headers=known)
    assert again.status_code in {200, 304}


class ShopQueues(QueueView):
    """A dashboard with a page of the app's own."""

    navigation = (*QueueView.navigation, ("refunds", "Refunds", ".refunds"))

    def user(self) -> str:
        """Who does it."""
        return "ada"

    @expose("/refunds/")
    def refunds(self) -> Any:
        """Says which queues are paused."""
        return self.page("refunds", title="Refunds", paused=list(self.desk.monitor.paused()))


def test_a_subclass_adds_a_page_and_knows_its_users(shop: Shop, tmp_path: Path) -> None:
    """An Admin that has such a view gets no other one."""
    text = "{% extends 'flask_queue/layout.html' %}{% block content %}<h1>Refunds</h1>{{ paused }}{% endblock %}"
    template(tmp_path, "flask_queue/refunds.html", text)
    Admin(shop.app).add_view(ShopQueues())
    queue = shop.queue()
    works(shop.app.test_client(), HOME)
    visitor: FlaskClient = shop.app.test_client()
    post(visitor, "queue/emails/pause")
    page = visitor.get(f"{HOME}refunds/").text
    assert "[&#39;emails&#39;]" in page
    assert '<a href="/admin/queues/refunds/" class="fq-on" aria-current="page">Refunds</a>' in page
    with shop.app.app_context():
        assert queue.audit().entries[0].actor == "ada"
