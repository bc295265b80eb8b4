"""What runs inside of Redis, where one command does not do.

Each goes out in full, with EVAL: Redis keeps what it has compiled by the script's digest, so that
the price is some hundred bytes; with EVALSHA it would be another round trip after each restart.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CAS", "COUNT"]

CAS: Final = b"""\
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE') then return held end
if held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], unpack(ARGV, 3))
return 1
"""
"""KEYS: the entry's. ARGV: what it must hold; what it shall; options of SET. 1 if it was stored."""

COUNT: Final = b"""\
local held = redis.pcall('GET', KEYS[1])
if not held then
  if ARGV[2] == '' then return false end
  redis.call('SET', KEYS[1], ARGV[2], unpack(ARGV, 3))
  return ARGV[2]
end
if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE') then return held end
if type(held) ~= 'string' or not string.find(held, '^%d+$') then return {ok='NAN'} end
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) ~= 'number' then
  if string.find(sum.err, 'integer') or string.find(sum.err, 'overflow') then
    return {ok='NAN'}
  end
  return sum
end
local text = redis.call('GET', KEYS[1])
if sum >= 0 then return text end
redis.call('INCRBY', KEYS[1], string.sub(text, 2))
return '0'
"""
"""KEYS: the counter's. ARGV: what to add; what to make where there is none, or ''; options of SET.

Gives the digits, since Lua's numbers are exact to 2**53 only; nil; or the status NAN.
"""
