"""asyncpg on uvloop as a peer; the protocol is that of slices.mjs."""

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

QUANTILES = {"p50": 0.5, "p99": 0.99}
# What encrypts the session, as the server has it.
TLS_SQL = "SELECT CASE WHEN ssl THEN version || ' ' || cipher END FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def run_slice(fetch, request):
    sql, parameters = request["sql"], request["parameters"]

    def arguments():
        return [p["fixed"] if "fixed" in p else random.randrange(p["from"], p["to"]) for p in parameters]

    latencies = []
    started_cpu, started = time.process_time(), time.perf_counter()
    end = started + request["durationMs"] / 1000

    async def call():
        at = started
        while at < end:
            answer = await fetch(sql, *arguments())
            if not answer or (request["rows"] and len(answer) != request["rows"]):
                raise RuntimeError(f"{len(answer)} rows came, {request['rows']} were expected")
            now = time.perf_counter()
            latencies.append((now - at) * 1000)
            at = now

    await asyncio.gather(*(call() for _ in range(request["callers"])))
    elapsed, cpu = time.perf_counter() - started, time.process_time() - started_cpu
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
