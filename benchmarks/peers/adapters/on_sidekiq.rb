# Sidekiq: `sidekiq -r ./on_sidekiq.rb -c 8`; run as a program it is the client, which speaks as wire.py says.

require 'json'
require 'logger'
require 'sidekiq'

HOUR_S = 3600
TICK_S = 0.01
NAP_S = 0.01
# What Sidekiq advises for one call.
BULK = 1000

# Else this version of redis-rb prints a warning with each pop, and looks for who called it.
Redis.silence_deprecations = true
Sidekiq.configure_client { |config| config.redis = { url: ENV.fetch('BENCH_URL') } }
Sidekiq.configure_server do |config|
  config.redis = { url: ENV.fetch('BENCH_URL') }
  # No peer logs a line for each job here.
  config.logger.level = Logger::ERROR
end

def now_us
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)
end

def note(sent_us)
  return if sent_us.zero?

  File.open(ENV.fetch('BENCH_LOG'), 'a') { |log| log.write("#{sent_us} #{now_us - sent_us} #{Process.pid}\n") }
end

class Nothing
  include Sidekiq::Worker
  sidekiq_options queue: 'bench', retry: false

  def perform(sent_us)
    note(sent_us)
  end
end

class Nap
  include Sidekiq::Worker
  sidekiq_options queue: 'bench', retry: false

  def perform(sent_us)
    note(sent_us)
    sleep(NAP_S)
  end
end

class Fails
  include Sidekiq::Worker
  # Without retries, but kept among the dead.
  sidekiq_options queue: 'bench', retry: 0

  def perform(_sent_us)
    raise ArgumentError, 'no such user'
  end
end

JOBS = { 'nothing' => Nothing, 'nap' => Nap, 'fails' => Fails }.freeze

def many(job, values)
  values.each_slice(BULK) do |slice|
    Sidekiq::Client.push_bulk('class' => JOBS.fetch(job), 'args' => slice.map { |value| [value] })
  end
end

def timed
  started = now_us
  cpu = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)
  yield
  { seconds: (now_us - started) / 1e6, cpu_s: Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) - cpu }
end

def pace(per_s, seconds)
  started = now_us
  sent = marked = 0
  while now_us < started + seconds * 1e6
    due = ((now_us - started) / 1e6 * per_s).floor + 1 - sent
    if due.positive?
      many('nothing', [now_us] + [0] * (due - 1))
      sent += due
      marked += 1
    end
    sleep(TICK_S)
  end
  { sent: sent, marked: marked, seconds: (now_us - started) / 1e6 }
end

def answer(verb, request)
  job, count = request.values_at('job', 'n')
  case verb
  when 'about'
    { pending: "return redis.call('LLEN', 'queue:bench')",
      versions: { ruby: RUBY_VERSION, sidekiq: Sidekiq::VERSION, 'redis-rb': Redis::VERSION } }
  when 'enqueue' then timed { count.times { JOBS.fetch(job).perform_async(0) } }
  when 'enqueue_bulk' then timed { many(job, [0] * count) }
  when 'enqueue_delayed' then timed { count.times { Nothing.perform_in(HOUR_S, 0) } }
  when 'mark'
    count.times { JOBS.fetch(job).perform_async(now_us) }
    {}
  when 'pace' then pace(request['per_s'], request['seconds'])
  end
end

if $PROGRAM_NAME == __FILE__
  $stdout.sync = true
  $stdin.each_line do |line|
    request = JSON.parse(line)
    puts JSON.generate(answer(request.delete('verb'), request))
  end
end
