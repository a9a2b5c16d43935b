-- For wrk: sends what the row asks for and tells the result as one line of JSON.
-- wrk ... -s requests.lua URL -- DEPTH PATH...
function init(args)
    local depth = tonumber(args[1])
    if depth == 1 and #args == 2 then
        return -- wrk repeats one request by itself
    end
    local ready, count = {}, 0
    for i = 2, #args do
        ready[i - 1] = string.rep(wrk.format("GET", args[i]), depth)
    end
    function request()
        count = count % #ready + 1
        return ready[count]
    end
end

function done(summary, latency)
    local e = summary.errors
    print(string.format('{"requests": %d, "bytes": %d, "seconds": %f, "p50_us": %f, "p99_us": %f, ' ..
        '"refused": %d, "broken": %d}', summary.requests, summary.bytes, summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
