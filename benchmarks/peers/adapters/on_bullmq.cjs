// BullMQ: `node on_bullmq.cjs worker`, and `client`, which speaks as wire.py says.
'use strict';

const fs = require('fs');
const readline = require('readline');
const { Queue, Worker } = require('bullmq');
const Redis = require('ioredis');

const QUEUES = ['bench', 'idle1', 'idle2'].slice(0, Number(process.env.BENCH_QUEUES || 1));
const CONCURRENCY = 8;
const NAP_MS = 10;
const HOUR_MS = 3600000;
const TICK_MS = 10;
// addBulk sends all of a call at once: in steps, as one would.
const BULK = 1000;
const connection = () => new Redis(process.env.BENCH_URL, { maxRetriesPerRequest: null });
const nowUs = () => Number(process.hrtime.bigint() / 1000n);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function handle(job) {
  const sentUs = job.data.sentUs;
  if (job.name === 'fails') throw new Error('no such user');
  if (sentUs) fs.appendFileSync(process.env.BENCH_LOG, `${sentUs} ${nowUs() - sentUs} ${process.pid}\n`);
  if (job.name === 'nap') await sleep(NAP_MS);
}

function work() {
  // As flask-queue keeps them: the newest 10,000 completed, 100,000 failed.
  const keep = process.env.BENCH_REMOVE
    ? { removeOnComplete: { count: 0 } }
    : { removeOnComplete: { count: 10000 }, removeOnFail: { count: 100000 } };
  const workers = QUEUES.map(
    (name) => new Worker(name, handle, { connection: connection(), concurrency: CONCURRENCY, ...keep }),
  );
  const stop = () => Promise.all(workers.map((worker) => worker.close())).then(() => process.exit(0));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function makeVerbs(queue) {
  const one = (job, sentUs, options) => queue.add(job, { sentUs }, options);
  const many = async (job, values) => {
    for (let at = 0; at < values.length; at += BULK) {
      await queue.addBulk(values.slice(at, at + BULK).map((sentUs) => ({ name: job, data: { sentUs } })));
    }
  };
  const timed = async (send) => {
    const started = nowUs();
    const before = process.cpuUsage();
    await send();
    const cpu = process.cpuUsage(before);
    return { seconds: (nowUs() - started) / 1e6, cpu_s: (cpu.user + cpu.system) / 1e6 };
  };
  const times = async (n, send) => {
    for (let i = 0; i < n; i += 1) await send();
  };
  return {
    about: () => ({
      pending: "return redis.call('LLEN', 'bull:bench:wait') + redis.call('LLEN', 'bull:bench:active')",
      versions: {
        node: process.version.slice(1),
        bullmq: require('bullmq/package.json').version,
        ioredis: require('ioredis/package.json').version,
      },
    }),
    enqueue: ({ job, n }) => timed(() => times(n, () => one(job, 0))),
    enqueue_bulk: ({ job, n }) => timed(() => many(job, Array(n).fill(0))),
    enqueue_delayed: ({ n }) => timed(() => times(n, () => one('nothing', 0, { delay: HOUR_MS }))),
    mark: async ({ job, n }) => {
      await times(n, () => one(job, nowUs()));
      return {};
    },
    pace: async ({ per_s: perS, seconds }) => {
      const started = nowUs();
      let sent = 0;
      let marked = 0;
      while (nowUs() < started + seconds * 1e6) {
        const due = Math.floor(((nowUs() - started) / 1e6) * perS) + 1 - sent;
        if (due > 0) {
          await many('nothing', [nowUs(), ...Array(due - 1).fill(0)]);
          sent += due;
          marked += 1;
        }
        await sleep(TICK_MS);
      }
      return { sent, marked, seconds: (nowUs() - started) / 1e6 };
    },
  };
}

async function serve() {
  const verbs = makeVerbs(new Queue('bench', { connection: connection() }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { verb, ...request } = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await verbs[verb](request))}\n`);
  }
  process.exit(0);
}

if (process.argv[2] === 'worker') work();
else serve();
