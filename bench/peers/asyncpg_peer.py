"""asyncpg on uvloop as a peer; the protocol is that of slices.mjs, the tasks are those of tasks.mjs."""

import asyncio
import json
import math
import random
import resource
import ssl
import sys
import time

import asyncpg
import uvloop

MASK = 0xFFFFFFFF
QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1}
# What encrypts the session, as the server has it.
TLS_SQL = "SELECT CASE WHEN ssl THEN version || ' ' || cipher END FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def random_of(seed):
    """The random numbers of random.mjs."""
    state = seed & MASK

    def number():
        nonlocal state
        state = (state + 0x6D2B79F5) & MASK
        mixed = ((state ^ (state >> 15)) * (state | 1)) & MASK
        mixed ^= (mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)) & MASK
        return (mixed ^ (mixed >> 14)) / 2**32

    return number


async def ask(fetch, query, number=random.random):
    """Asks once, and looks whether as many rows come as must."""

    def up_to(count):
        return math.floor(number() * count)

    arguments = [
        p["fixed"] if "fixed" in p else p["from"] + up_to(p["to"] - p["from"]) for p in query["parameters"]
    ]
    texts = query.get("texts")
    sql = query["sql"] if texts is None else query["sql"].replace("{n}", str(up_to(texts)))
    answer = await fetch(sql, *arguments)
    if not answer or (query["rows"] and len(answer) != query["rows"]):
        raise RuntimeError(f"{len(answer)} rows came, {query['rows']} were expected")


async def repeat(fetch, request):
    latencies = []
    started = time.perf_counter()
    end = started + request["durationMs"] / 1000

    async def call():
        at = started
        while at < end:
            await ask(fetch, request)
            now = time.perf_counter()
            latencies.append((now - at) * 1000)
            at = now

    await asyncio.gather(*(call() for _ in range(request["callers"])))
    return latencies, time.perf_counter() - started


async def mix(fetch, request):
    slow, callers = request["slow"], request["callers"]
    latencies = []
    started = last = time.perf_counter()
    end = started + request["durationMs"] / 1000

    async def call(caller):
        nonlocal last
        number = random_of(request["seed"] * callers + caller)
        at = started
        while at < end:
            is_slow = number() < slow["share"]
            await ask(fetch, slow if is_slow else request, number)
            now = time.perf_counter()
            if not is_slow:
                latencies.append((now - at) * 1000)
                last = now
            at = now

    await asyncio.gather(*(call(caller) for caller in range(callers)))
    return latencies, last - started


async def burst(fetch, request):
    slow = request["slow"]
    latencies, elapsed = [], 0

    async def call():
        at = time.perf_counter()
        await ask(fetch, request)
        latencies.append((time.perf_counter() - at) * 1000)

    async def quick_ones():
        nonlocal elapsed
        started = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(request["callers"])))
        elapsed += time.perf_counter() - started

    end = time.perf_counter() + request["durationMs"] / 1000
    while time.perf_counter() < end:
        await asyncio.gather(*(ask(fetch, slow) for _ in range(slow["count"])), quick_ones())
    return latencies, elapsed


TASKS = {"repeat": repeat, "mix": mix, "burst": burst}


async def run_slice(fetch, request):
    started_cpu = time.process_time()
    latencies, elapsed = await TASKS[request["task"]](fetch, request)
    cpu = time.process_time() - started_cpu
    latencies.sort()
    return {
        "queries": len(latencies),
        "elapsedMs": elapsed * 1000,
        "latencyMs": {name: latencies[math.ceil(len(latencies) * share) - 1] for name, share in QUANTILES.items()},
        "cpuMicroseconds": cpu * 1e6,
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


async def main(url, connections, ca_file=None):
    options = {} if ca_file is None else {"ssl": ssl.create_default_context(cafile=ca_file)}
    if connections == 1:
        target = await asyncpg.connect(url, **options)
    else:
        target = await asyncpg.create_pool(url, min_size=connections, max_size=connections, **options)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"version": asyncpg.__version__, "tls": await target.fetchval(TLS_SQL)}), flush=True)
    while line := await reader.readline():
        try:
            answer = await run_slice(target.fetch, json.loads(line))
        except Exception as error:  # the runner prints it
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)
    await target.close()


uvloop.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
