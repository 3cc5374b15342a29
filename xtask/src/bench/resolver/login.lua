-- For wrk: one login a request, none of them twice. Arguments: "returning" for people out of those who are stored or "first" for
-- people whom nobody knows, how many are stored, and a number that no other run has. The token comes from the environment.

local kind, people, run
local made = 0
local headers = {
  ["Authorization"] = "Bearer " .. os.getenv("WXGATE_RESOLVER_TOKEN"),
  ["Content-Type"] = "application/json",
}

function init(arguments)
  kind, people, run = arguments[1], tonumber(arguments[2]), tonumber(arguments[3])
  math.randomseed(run)
end

-- The name of the person with this number, as sqlite.sql and postgres.sql make it up: in no order, so that neighbours in
-- time are no neighbours in an index.
local function name(prefix, number, ending)
  return string.format("%s%08x-%s", prefix, number * 2654435761 % 4294967296, ending)
end

function request()
  made = made + 1
  local openid, unionid
  if kind == "returning" then
    local person = math.random(0, people - 1)
    openid, unionid = name("o", person, "6B0t5PZ9kLmNqRsTuV"), name("u", person, "6B0t5PZ9kLmNqRsTuV")
  else
    -- All over the index, as WeChat's names come: on PostgreSQL, logins that look into one page of it while others write there are undone, and
    -- of newcomers in one corner that would be half of them.
    local ending = string.format("newcomer%010d", run)
    openid, unionid = name("o", made, ending), name("u", made, ending)
  end
  local body = string.format(
    '{"idempotency_key":"%032x%032x","pool":"default","application":"shop","connector":"pc","method":"website_qr","platform":"main",'
      .. '"app_id":"wx0000000000000001","openid":"%s","unionid":"%s","profile":{"nickname":"小明"},"client_address":"192.0.2.7"}',
    run, made, openid, unionid)
  return wrk.format("POST", "/v1/logins", headers, body)
end
