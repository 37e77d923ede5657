package redis

import "github.com/redis/go-redis/v9"

// The hash of an identity: owner; number, of the newest batch that was applied whole; and, while one is applied in pieces, partial,
// its number, and applied, how many of its commands were.

// claim makes ARGV[1] the owner and returns number ("" if there is none). ARGV[2] "1": then it is 0 from now on.
var claim = redis.NewScript(`
local number = redis.call('HGET', KEYS[1], 'number')
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
if number then return number end
if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'number', '0') end
return ''`)

// look returns {number, partial, applied} if ARGV[1] is the owner, else nothing.
var look = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return {} end
local v = redis.call('HMGET', KEYS[1], 'number', 'partial', 'applied')
return {v[1] or '0', v[2] or '0', v[3] or '0'}`)

// apply executes commands of batch ARGV[2], from the ARGV[3]th on; ARGV[4] is how many are applied then, ARGV[5] "1" if that is all of them. ARGV[6] is the
// epoch. Commands follow, each after its number of words. It returns {"ok", refused, first error} or {"fenced"} or {"moved"}, where others
// are due.
//
// That there is no memory Redis says only before a script has written anything: then nothing counts, and all is tried again.
var apply = redis.NewScript(`
local v = redis.call('HMGET', KEYS[1], 'owner', 'number', 'partial', 'applied')
if v[1] ~= ARGV[1] then return {'fenced'} end
local applied = '0'
if v[3] == ARGV[2] then applied = v[4] end
if tonumber(v[2] or '0') >= tonumber(ARGV[2]) or applied ~= ARGV[3] then return {'moved'} end
local refused, first = 0, ''
local i = 7
while i <= #ARGV do
  local n = tonumber(ARGV[i])
  local answer = redis.pcall(unpack(ARGV, i + 1, i + n))
  if type(answer) == 'table' and answer.err then
    if string.find(answer.err, 'OOM command', 1, true) then return answer end
    refused = refused + 1
    if first == '' then first = ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. ': ' .. answer.err end
  end
  i = i + n + 1
end
if ARGV[5] == '1' then
  redis.call('HSET', KEYS[1], 'number', ARGV[2], 'epoch', ARGV[6])
  redis.call('HDEL', KEYS[1], 'partial', 'applied')
else
  redis.call('HSET', KEYS[1], 'partial', ARGV[2], 'applied', ARGV[4])
end
return {'ok', tostring(refused), first}`)
