"""huey: `huey_consumer on_huey.huey -w 8`."""

import handlers
import wire
from huey import RedisHuey

huey = RedisHuey("bench", url=wire.URL, results=False)

JOBS = {name: huey.task()(getattr(handlers, name)) for name in ("nothing", "nap", "spin", "fails")}


class Client(wire.Client):
    packages = ("huey",)
    # What runs is in no list: it is lost if its worker dies.
    pending = "return redis.call('LLEN', 'huey.redis.bench')"

    def send(self, job, sent_us):
        JOBS[job](sent_us)

    def send_delayed(self):
        JOBS["nothing"].schedule((0,), delay=wire.HOUR_S)


if __name__ == "__main__":
    wire.serve(Client())
