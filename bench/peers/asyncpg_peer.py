"""asyncpg on uvloop as a peer; the protocol is that of slices.mjs."""

import asyncio
import json
import random
import resource
import sys
import time

import asyncpg
import uvloop


async def run_slice(fetch, request):
    sql, parameters = request["sql"], request["parameters"]

    def arguments():
        return [p["fixed"] if "fixed" in p else random.randrange(p["from"], p["to"]) for p in parameters]

    first = await fetch(sql, *arguments())
    if not first or (request["rows"] and len(first) != request["rows"]):
        raise RuntimeError(f"{len(first)} rows came, {request['rows']} were expected")
    queries = 0
    started_cpu, started = time.process_time(), time.perf_counter()
    end = started + request["durationMs"] / 1000

    async def call():
        nonlocal queries
        while time.perf_counter() < end:
            await fetch(sql, *arguments())
            queries += 1

    await asyncio.gather(*(call() for _ in range(request["callers"])))
    return {
        "queries": queries,
        "elapsedMs": (time.perf_counter() - started) * 1000,
        "cpuMicroseconds": (time.process_time() - started_cpu) * 1e6,
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


async def main(url, connections):
    if connections == 1:
        target = await asyncpg.connect(url)
    else:
        target = await asyncpg.create_pool(url, min_size=connections, max_size=connections)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"version": asyncpg.__version__}), flush=True)
    while line := await reader.readline():
        try:
            answer = await run_slice(target.fetch, json.loads(line))
        except Exception as error:  # the runner prints it
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)
    await target.close()


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
