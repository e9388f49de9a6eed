-- SPDX-FileCopyrightText: 2026 The Saddle authors
-- SPDX-License-Identifier: Apache-2.0
--
-- Shows Saddle's packets in Wireshark and tshark: Pony on the wire, as docs/wire.md has it.
--
--     tshark -X lua_script:saddle.lua -r capture.pcap -Y saddle
--
-- or put into a folder of plugins (`tshark -G folders`). A packet is Saddle's if it is from or to
-- the port of the preferences, or if its header_crc is right, whatever its port.
--
-- What there is of types, operations, features and payloads stands in tables below: one more is one
-- more line there. What they do not name is shown as unknown. Nothing is read that was not measured
-- first: packets are hostile here too.

local saddle = Proto("saddle", "Saddle (Pony)")

local UDP_PORT = 50707
local UDP_HEADER_BYTES = 8
local FLOW_BYTES = 24 -- also what header_crc covers of each packet first
local OPERATION_BYTES = 24
local HELLO_BYTES = 96
local OPERATIONS_MAX = 64
local STREAMS_MAX = 64
local MTU_MIN = 576
local SERVICE_MAX = 63
local LENGTH_MAX = 65535 -- of a payload: its field has two bytes
local PART_UNIT = 128 -- slices begin at multiples of it
local REST = -1 -- size of a field that takes what is left

local VERSIONS = {[1] = true, [2] = true} -- of the flow header that are known
local HELLO_VERSION = 0

-- ---- Names ----

local ERRORS = { -- Linux
  [0] = "success", [5] = "EIO", [11] = "EAGAIN", [12] = "ENOMEM", [13] = "EACCES", [16] = "EBUSY",
  [17] = "EEXIST", [22] = "EINVAL", [28] = "ENOSPC", [32] = "EPIPE", [34] = "ERANGE",
  [71] = "EPROTO", [74] = "EBADMSG", [75] = "EOVERFLOW", [90] = "EMSGSIZE",
  [93] = "EPROTONOSUPPORT", [95] = "EOPNOTSUPP", [98] = "EADDRINUSE", [100] = "ENETDOWN",
  [101] = "ENETUNREACH", [103] = "ECONNABORTED", [104] = "ECONNRESET", [105] = "ENOBUFS",
  [107] = "ENOTCONN", [110] = "ETIMEDOUT", [111] = "ECONNREFUSED", [112] = "EHOSTDOWN",
  [113] = "EHOSTUNREACH", [122] = "EDQUOT", [125] = "ECANCELED",
}

local DATA, ACK, PROBE, HELLO, RESET, SEARCH, FOUND, PART = 1, 2, 3, 4, 5, 6, 7, 8
local TYPES = {
  [DATA] = "DATA", [ACK] = "ACK", [PROBE] = "PROBE", [HELLO] = "HELLO", [RESET] = "RESET",
  [SEARCH] = "SEARCH", [FOUND] = "FOUND", [PART] = "PART",
}

local CALL, COOKIE, WELCOME, REFUSE = 1, 2, 3, 4
local KINDS = {[CALL] = "CALL", [COOKIE] = "COOKIE", [WELCOME] = "WELCOME", [REFUSE] = "REFUSE"}

-- Name of the field, bit, words.
local FEATURES = {
  {"echo", 0x00000001, "ECHO is answered"},
  {"onesided", 0x00000002, "Reads by way of a table and atomic operations are served"},
  {"messages", 0x00000004, "Messages may be unordered, and longer than 64 MiB"},
  {"siblings", 0x00000008, "ELSEWHERE is understood"},
  {"grants", 0x00000010, "The offset of DELIVERED is understood"},
}
local FLOW_FLAGS = {
  {"ecn_echo", 0x01, "Congestion experienced"},
  {"key", 0x02, "Reserved for encryption"},
}
local OPERATION_FLAGS = {
  {"last", 0x01, "Last fragment"},
  {"unordered", 0x02, "Of a message that is not ordered in its stream"},
  {"tagged", 0x80, "Reserved for a request tag"},
}
local LAST, UNORDERED = 0x01, 0x02
local FLOW_FLAGS_KNOWN = 0x01

-- ---- Fields ----

local fields = {} -- by name, without "saddle."
local list = {}

local function field(name, make, ...)
  fields[name] = make("saddle." .. name, ...)
  list[#list + 1] = fields[name]
end

local function flags(prefix, bytes, names)
  for _, flag in ipairs(names) do
    field(prefix .. flag[1], ProtoField.bool, flag[3], bytes * 8, nil, flag[2])
  end
end

field("version", ProtoField.uint8, "Version", base.DEC, nil, 0xf0)
field("type", ProtoField.uint8, "Type", base.DEC, TYPES, 0x0f)
field("flags", ProtoField.uint8, "Flags", base.HEX)
flags("flags.", 1, FLOW_FLAGS)
field("ack_delay", ProtoField.uint16, "Acknowledgement delay", base.DEC)
field("ack_delay_ns", ProtoField.uint32, "Acknowledgement delay in ns", base.DEC)
field("header_crc", ProtoField.uint32, "Header CRC", base.HEX)
field("header_crc.status", ProtoField.string, "Header CRC status")
field("token", ProtoField.uint64, "Token", base.HEX)
field("seq", ProtoField.uint32, "Packet number", base.DEC)
field("duplicates", ProtoField.uint32, "Duplicates received", base.DEC)
field("ack", ProtoField.uint32, "Acknowledged before", base.DEC)
field("bitmap", ProtoField.bytes, "Bitmap")
field("arrived", ProtoField.string, "Arrived beyond")
field("question", ProtoField.uint32, "Question", base.DEC)
field("padding", ProtoField.bytes, "Padding")
field("part.total", ProtoField.uint16, "Bytes of all operations", base.DEC)
field("part.offset", ProtoField.uint16, "Offset of the slice", base.DEC)
field("part.slice", ProtoField.bytes, "Slice")
field("undecoded", ProtoField.bytes, "Not decoded")

field("hello.kind", ProtoField.uint8, "Kind", base.DEC, KINDS)
field("hello.version_min", ProtoField.uint8, "Lowest version", base.DEC)
field("hello.version_max", ProtoField.uint8, "Highest version", base.DEC)
field("hello.error", ProtoField.uint16, "Error", base.DEC, ERRORS)
field("hello.mtu", ProtoField.uint16, "MTU", base.DEC)
field("hello.features", ProtoField.uint32, "Features", base.HEX)
flags("hello.features.", 4, FEATURES)
field("hello.seq", ProtoField.uint32, "First packet number", base.DEC)
field("hello.udp_port", ProtoField.uint16, "UDP port", base.DEC)
field("hello.reserved", ProtoField.bytes, "Reserved")
field("hello.token", ProtoField.uint64, "Token", base.HEX)
field("hello.nonce", ProtoField.uint64, "Nonce", base.HEX)
field("hello.cookie", ProtoField.uint64, "Cookie", base.HEX)
field("hello.epoch", ProtoField.uint64, "Epoch", base.HEX)
field("hello.call", ProtoField.framenum, "Answers the call of", base.NONE, frametype.RESPONSE)

field("op.flags", ProtoField.uint8, "Flags", base.HEX)
flags("op.flags.", 1, OPERATION_FLAGS)
field("op.length", ProtoField.uint16, "Length", base.DEC)
field("op.connection", ProtoField.uint32, "Connection", base.DEC_HEX)
field("op.stream", ProtoField.uint16, "Stream", base.DEC)
field("op.reserved", ProtoField.uint16, "Reserved", base.HEX)
field("op.id", ProtoField.uint32, "Id", base.DEC)
field("op.offset", ProtoField.uint32, "Offset", base.DEC)
field("op.payload_crc", ProtoField.uint32, "Payload CRC", base.HEX)
field("op.payload_crc.status", ProtoField.string, "Payload CRC status")
field("op.payload", ProtoField.bytes, "Payload")

field("op.credits", ProtoField.uint32, "Credits", base.DEC)
field("op.service", ProtoField.string, "Service")
field("op.own", ProtoField.uint32, "Sender's number", base.DEC_HEX)
field("op.error", ProtoField.uint32, "Error", base.DEC, ERRORS)
field("op.answers", ProtoField.uint32, "Answers given", base.DEC)
field("op.entry.unordered", ProtoField.bool, "Unordered", 16, nil, 0x8000)
field("op.entry.stream", ProtoField.uint16, "Stream", base.DEC, nil, 0x7fff)
field("op.entry.status", ProtoField.uint16, "Status", base.DEC, ERRORS)
field("op.entry.id", ProtoField.uint32, "Message", base.DEC)
field("op.key", ProtoField.uint64, "Region key", base.HEX)
field("op.access_offset", ProtoField.uint64, "Offset into the region", base.DEC)
field("op.access_length", ProtoField.uint32, "Length of the whole", base.DEC)
field("op.data", ProtoField.bytes, "Data")
field("op.batch.entry", ProtoField.uint64, "Offset of an entry", base.DEC)
field("op.scan.match", ProtoField.uint64, "Looked for", base.HEX)
field("op.scan.entries", ProtoField.uint32, "Entries", base.DEC)
field("op.atomic.operand", ProtoField.uint64, "Operand", base.HEX)
field("op.atomic.expected", ProtoField.uint64, "Expected", base.HEX)
field("op.result.value", ProtoField.uint64, "Value", base.HEX)
field("op.item.status", ProtoField.uint32, "Status", base.DEC, ERRORS)
field("op.item.length", ProtoField.uint32, "Length", base.DEC)

-- ---- Operations ----

-- Payloads: fields in their order, each with its size; then those of `again`, as often as they fit.
local OPEN = {{"op.credits", 4}, {"op.service", REST, "text"}}
local OPENED = {{"op.own", 4}, {"op.credits", 4}, {"op.error", 4}}
local CLOSE = {{"op.error", 4}, {"op.answers", 4}}
local ENTRIES = {
  again = {{"op.entry.stream", 2, "order"}, {"op.entry.status", 2}, {"op.entry.id", 4}},
}
local ACCESS = {{"op.key", 8}, {"op.access_offset", 8}, {"op.access_length", 4}}
local WRITTEN = {{"op.key", 8}, {"op.access_offset", 8}, {"op.access_length", 4}, {"op.data", REST}}
local BYTES = {{"op.data", REST}}
local BATCH = {{"op.key", 8}, {"op.access_length", 4}, again = {{"op.batch.entry", 8}}}
local SCAN = {{"op.key", 8}, {"op.access_offset", 8}, {"op.scan.match", 8}, {"op.scan.entries", 4},
              {"op.access_length", 4}}
local SWAP = {{"op.key", 8}, {"op.access_offset", 8}, {"op.atomic.operand", 8},
              {"op.atomic.expected", 8}}
local ADD = {{"op.key", 8}, {"op.access_offset", 8}, {"op.atomic.operand", 8}}
local RESULT = {{"op.result.value", 8}, again = {{"op.item.status", 4}, {"op.item.length", 4}}}

-- By type: the name; how long a payload may be (0 if that is not said); its fields; flags that it
-- may have; what its id and offset mean, if anything.
local OPERATIONS = {
  [1] = {"OPEN", least = 5, most = 4 + SERVICE_MAX, payload = OPEN},
  [2] = {"OPENED", least = 12, most = 12, payload = OPENED},
  [3] = {"CLOSE", least = 8, most = 8, payload = CLOSE, id = "sender's number for the connection"},
  [4] = {"CLOSED"},
  [5] = {"MESSAGE", least = 1, most = LENGTH_MAX, payload = BYTES, flags = LAST + UNORDERED,
         id = "message", offset = "of the fragment", stream = true},
  [6] = {"OFFER", flags = UNORDERED, id = "message", offset = "length of the message",
         stream = true},
  [7] = {"PULL", flags = UNORDERED, id = "message", stream = true},
  [8] = {"BULK", least = 1, most = LENGTH_MAX, payload = BYTES, flags = LAST + UNORDERED,
         id = "message", offset = "of the fragment", stream = true},
  [9] = {"DELIVERED", least = 8, most = LENGTH_MAX, payload = ENTRIES,
         offset = "messages allowed since opening, or 0"},
  [10] = {"CREDIT", offset = "messages allowed since opening"},
  [11] = {"STARVED", offset = "messages allowed and used up"},
  [12] = {"SKIP", flags = LAST + UNORDERED, id = "message", offset = "bytes that were sent",
          stream = true},
  [13] = {"READ", least = 20, most = 20, payload = ACCESS, id = "operation"},
  [14] = {"READ_DATA", least = 1, most = LENGTH_MAX, payload = BYTES, flags = LAST,
          id = "operation", offset = "of the fragment"},
  [15] = {"WRITE", least = 20, most = LENGTH_MAX, payload = WRITTEN, flags = LAST,
          id = "operation", offset = "of the fragment"},
  [16] = {"DONE", id = "operation", offset = "error", error = true},
  [17] = {"ECHO", most = LENGTH_MAX, payload = BYTES, id = "echo"},
  [18] = {"ECHOED", most = LENGTH_MAX, payload = BYTES, id = "echo"},
  [19] = {"READ_INDIRECT", least = 20, most = 20, payload = ACCESS, id = "operation"},
  [20] = {"READ_BATCH", least = 20, most = 76, payload = BATCH, id = "operation"},
  [21] = {"SCAN_READ", least = 32, most = 32, payload = SCAN, id = "operation"},
  [22] = {"COMPARE_SWAP", least = 32, most = 32, payload = SWAP, id = "operation"},
  [23] = {"FETCH_ADD", least = 24, most = 24, payload = ADD, id = "operation"},
  [24] = {"RESULT", least = 8, most = 72, payload = RESULT, id = "operation",
          offset = "bytes of READ_DATA"},
  [28] = {"ELSEWHERE", offset = "UDP port"},
}

local OPERATION_NAMES = {}
for number, operation in pairs(OPERATIONS) do
  OPERATION_NAMES[number] = operation[1]
end
field("op.type", ProtoField.uint8, "Type", base.DEC, OPERATION_NAMES)

saddle.fields = list

-- ---- Findings ----

local expert = {
  header_crc = ProtoExpert.new("saddle.header_crc.bad", "header_crc is wrong",
    expert.group.CHECKSUM, expert.severity.ERROR),
  payload_crc = ProtoExpert.new("saddle.op.payload_crc.bad", "payload_crc is wrong",
    expert.group.CHECKSUM, expert.severity.ERROR),
  malformed = ProtoExpert.new("saddle.malformed", "Malformed", expert.group.MALFORMED,
    expert.severity.ERROR),
  rule = ProtoExpert.new("saddle.rule", "A rule is broken", expert.group.PROTOCOL,
    expert.severity.WARN),
  unknown = ProtoExpert.new("saddle.unknown", "Not known here", expert.group.UNDECODED,
    expert.severity.WARN),
  cut = ProtoExpert.new("saddle.cut", "Cut by the capture", expert.group.UNDECODED,
    expert.severity.NOTE),
  ended = ProtoExpert.new("saddle.ended", "The flow has ended, or never began",
    expert.group.SEQUENCE, expert.severity.NOTE),
}
saddle.experts = {expert.header_crc, expert.payload_crc, expert.malformed, expert.rule,
                  expert.unknown, expert.cut, expert.ended}

saddle.prefs.port = Pref.uint("UDP port", UDP_PORT, "That engines receive at")
saddle.prefs.check = Pref.bool("Check sums", true, "Computes header_crc and payload_crc")

-- ---- CRC32C ----

local bits = bit32 or bit -- whichever this Lua has
local band, bxor, rshift = bits.band, bits.bxor, bits.rshift
local CRC_POLYNOMIAL = 0x82f63b78 -- reflected
local CRC_START = 0xffffffff
local CRC_PIECE = 4096 -- bytes taken apart at a time

local crc_table = {}
for value = 0, 255 do
  local crc = value
  for _ = 1, 8 do
    local low = band(crc, 1)
    crc = rshift(crc, 1)
    if low == 1 then
      crc = bxor(crc, CRC_POLYNOMIAL)
    end
  end
  crc_table[value] = crc
end

local function crc_update(crc, text)
  for first = 1, #text, CRC_PIECE do
    local piece = {text:byte(first, math.min(first + CRC_PIECE - 1, #text))}
    for at = 1, #piece do
      crc = bxor(rshift(crc, 8), crc_table[band(bxor(crc, piece[at]), 0xff)])
    end
  end
  return crc
end

local function crc_end(crc)
  return bxor(crc, CRC_START) % 0x100000000
end

-- ---- Bytes ----

local ipv4_source, ipv4_destination = Field.new("ip.src"), Field.new("ip.dst")
local ipv6_source, ipv6_destination = Field.new("ipv6.src"), Field.new("ipv6.dst")

local function raw(tvb, offset, length)
  return length > 0 and tvb:raw(offset, length) or ""
end

-- 16 bytes of the innermost address, or nil: there is none.
local function address(ipv4, ipv6, wanted)
  local found = {ipv6()}
  for at = #found, 1, -1 do
    if tostring(found[at].value) == wanted then
      return found[at].range:bytes():raw()
    end
  end
  found = {ipv4()}
  for at = #found, 1, -1 do
    if tostring(found[at].value) == wanted then
      return ("\0"):rep(10) .. "\255\255" .. found[at].range:bytes():raw()
    end
  end
  return nil
end

local function be16(value)
  return string.char(math.floor(value / 256) % 256, value % 256)
end

-- What header_crc should be, or nil: it cannot be computed.
local function header_crc(tvb, pinfo, length)
  local source = address(ipv4_source, ipv6_source, tostring(pinfo.src))
  local destination = address(ipv4_destination, ipv6_destination, tostring(pinfo.dst))
  if not source or not destination then
    return nil
  end
  local crc = crc_update(CRC_START, source .. destination .. be16(pinfo.src_port) ..
    be16(pinfo.dst_port) .. "\0\0" .. be16(UDP_HEADER_BYTES + length) .. raw(tvb, 0, 4) ..
    "\0\0\0\0" .. raw(tvb, 8, FLOW_BYTES - 8))
  if tvb(0, 1):uint() % 16 ~= DATA then
    return crc_end(crc_update(crc, raw(tvb, FLOW_BYTES, length - FLOW_BYTES)))
  end
  local at = FLOW_BYTES
  while at + OPERATION_BYTES <= length do
    crc = crc_update(crc, raw(tvb, at, OPERATION_BYTES))
    at = at + OPERATION_BYTES + tvb(at + 2, 2):uint()
  end
  return crc_end(crc)
end

-- ---- Trees ----

local function find(tree, what, words)
  tree:add_proto_expert_info(expert[what], words)
end

local function add_flags(tree, prefix, range, names, known)
  local item = tree:add(fields[prefix], range)
  for _, flag in ipairs(names) do
    item:add(fields[prefix .. "." .. flag[1]], range)
  end
  if known and band(range:uint(), bits.bnot(known)) % 0x100000000 ~= 0 then
    find(item, "rule", "Unknown or reserved flags")
  end
end

-- What is not ASCII, or cannot be seen, is shown as a number.
local function text_of(range)
  return (range:bytes():raw():gsub("[^\32-\126]", function(byte)
    return string.format("\\x%02x", byte:byte())
  end))
end

-- Fields that are more than a number or bytes.
local ADDERS = {
  features = function(tree, name, range)
    add_flags(tree, name, range, FEATURES)
  end,
  order = function(tree, name, range)
    tree:add(fields["op.entry.unordered"], range)
    tree:add(fields[name], range)
  end,
  text = function(tree, name, range)
    tree:add(fields[name], range, text_of(range))
  end,
}

-- The status of a sum, nil if nobody knows the right one; true if it is wrong.
local function add_crc(tree, name, range, right)
  local item = tree:add(fields[name], range)
  local bad = right and right ~= range:uint()
  local status = not right and "not checked" or bad and "bad" or "good"
  item:append_text(" [" .. status .. "]")
  item:add(fields[name .. ".status"], status):set_generated()
  if bad then
    find(item, name == "header_crc" and "header_crc" or "payload_crc",
      string.format("It should be 0x%08x", right))
  end
  return bad
end

-- The fields of a layout: each has a name, a size and, where needed, an adder. Returns where they
-- end, or nil: they do not fit.
local function add_fields(tree, layout, tvb, offset, stop)
  for _, part in ipairs(layout) do
    local bytes = part[2] == REST and stop - offset or part[2]
    if offset + bytes > stop then
      return nil
    end
    if part[3] and bytes > 0 then
      ADDERS[part[3]](tree, part[1], tvb(offset, bytes))
    elseif bytes > 0 then
      tree:add(fields[part[1]], tvb(offset, bytes))
    end
    offset = offset + bytes
  end
  return offset
end

-- A whole payload. False if it has another form.
local function add_layout(tree, layout, tvb, offset, length)
  local stop = offset + length
  local at = add_fields(tree, layout, tvb, offset, stop)
  while at and at < stop and layout.again do
    at = add_fields(tree, layout.again, tvb, at, stop)
  end
  return at == stop
end

-- Which of them have arrived: "5-7, 9".
local function arrived(tvb, offset, length, ack)
  local ranges, first = {}, nil
  for at = 0, length * 8 do
    local byte = at < length * 8 and tvb(offset + math.floor(at / 8), 1):uint() or 0
    local set = math.floor(byte / 2 ^ (at % 8)) % 2 == 1
    if set and not first then
      first = at
    elseif not set and first then
      local low, high = (ack + 1 + first) % 2 ^ 32, (ack + at) % 2 ^ 32
      ranges[#ranges + 1] = string.format(low == high and "%.0f" or "%.0f-%.0f", low, high)
      first = nil
    end
  end
  return table.concat(ranges, ", ")
end

-- ---- Packets of a flow ----

-- Words for an operation in a list of packets.
local function summary(known, tvb, at, length)
  local words = {known[1]}
  if known.stream then
    words[#words + 1] = string.format("%d/%d", tvb(at + 8, 2):uint(), tvb(at + 12, 4):uint())
  elseif known.id then
    words[#words + 1] = string.format("%d", tvb(at + 12, 4):uint())
  end
  if known.error then
    local number = tvb(at + 16, 4):uint()
    words[#words + 1] = ERRORS[number] or string.format("error %d", number)
  elseif known.offset then
    words[#words + 1] = string.format("+%d", tvb(at + 16, 4):uint())
  end
  if known.payload == BYTES or known.payload == WRITTEN then
    words[#words + 1] = string.format("%d bytes", length)
  end
  if known.payload == OPEN and length > 4 then
    words[#words + 1] = text_of(tvb(at + OPERATION_BYTES + 4, length - 4))
  end
  if band(tvb(at + 1, 1):uint(), LAST) ~= 0 then
    words[#words + 1] = "LAST"
  end
  return table.concat(words, " ")
end

local function check_operation(tree, known, tvb, at, length)
  local flags_bad = bits.bnot(known.flags or 0)
  if band(band(tvb(at + 1, 1):uint(), flags_bad), 0xff) ~= 0 then
    find(tree, "rule", known[1] .. " with flags that it may not have")
  end
  if tvb(at + 10, 2):uint() ~= 0 then
    find(tree, "rule", "reserved is not 0")
  end
  if tvb(at + 8, 2):uint() >= STREAMS_MAX then
    find(tree, "rule", "There are streams 0 to 63")
  end
  if length < (known.least or 0) or length > (known.most or 0) then
    find(tree, "rule", string.format("%s of %d bytes", known[1], length))
  end
end

local function payload_crc(tvb, at, length)
  if not saddle.prefs.check then
    return nil
  end
  return length == 0 and 0 or crc_end(crc_update(CRC_START, raw(tvb, at, length)))
end

-- The header, and of the payload what is in the capture.
local function add_operation(tree, tvb, at, length, number)
  local kind = tvb(at, 1):uint()
  local known = OPERATIONS[kind]
  local held = math.min(length, tvb:len() - at - OPERATION_BYTES)
  local words = known and summary(known, tvb, at, held) or string.format("operation %d", kind)
  local item = tree:add(saddle, tvb(at, OPERATION_BYTES + held),
    string.format("Operation %d: %s", number, words))
  local function add(name, offset, bytes, meaning)
    local added = item:add(fields[name], tvb(at + offset, bytes))
    if meaning then
      added:append_text(" (" .. meaning .. ")")
    end
  end
  add("op.type", 0, 1)
  add_flags(item, "op.flags", tvb(at + 1, 1), OPERATION_FLAGS)
  add("op.length", 2, 2)
  add("op.connection", 4, 4)
  add("op.stream", 8, 2)
  add("op.reserved", 10, 2)
  add("op.id", 12, 4, known and known.id)
  add("op.offset", 16, 4, known and known.error and ERRORS[tvb(at + 16, 4):uint()]
    or known and known.offset)
  add_crc(item, "op.payload_crc", tvb(at + 20, 4),
    held == length and payload_crc(tvb, at + OPERATION_BYTES, length) or nil)
  if known then
    check_operation(item, known, tvb, at, length)
  else
    find(item, "unknown", "An operation that is not known here")
  end
  if held > 0 then
    local payload = item:add(fields["op.payload"], tvb(at + OPERATION_BYTES, held))
    local layout = known and known.payload
    if layout and not add_layout(payload, layout, tvb, at + OPERATION_BYTES, held)
       and held == length then
      find(payload, "malformed", "The payload does not have the form of " .. known[1])
    end
  end
  return words
end

local function add_operations(tree, tvb, length)
  local at, number, all = FLOW_BYTES, 0, {}
  while at < length do
    if at + OPERATION_BYTES > tvb:len() then
      find(tree, length > tvb:len() and "cut" or "malformed", "An operation header is cut")
      break
    end
    local bytes = tvb(at + 2, 2):uint()
    if at + OPERATION_BYTES + bytes > length then
      find(tree, "malformed", string.format("An operation of %d bytes does not fit", bytes))
      break
    end
    all[#all + 1] = add_operation(tree, tvb, at, bytes, number)
    at = at + OPERATION_BYTES + bytes
    number = number + 1
  end
  if number > OPERATIONS_MAX then
    find(tree, "malformed", string.format("%d operations; there may be 64", number))
  elseif length == FLOW_BYTES then
    find(tree, "malformed", "No operation")
  end
  return table.concat(all, ", ")
end

-- The bytes of a bitmap by version of the wire, least and most.
local BITMAP_MOST = 32
local BITMAP_BYTES = {[1] = {BITMAP_MOST, BITMAP_MOST}, [2] = {0, BITMAP_MOST}}

local function add_bitmap(tree, tvb, length)
  local held = math.min(length, tvb:len()) - FLOW_BYTES
  local limits = BITMAP_BYTES[math.floor(tvb(0, 1):uint() / 16)]
  local last = held > 0 and tvb(FLOW_BYTES + held - 1, 1):uint()
  if limits and (length - FLOW_BYTES < limits[1] or length - FLOW_BYTES > limits[2]) then
    find(tree, "malformed", string.format("A bitmap of %d bytes", length - FLOW_BYTES))
  end
  if held <= 0 then
    return ""
  end
  local text = arrived(tvb, FLOW_BYTES, held, tvb(20, 4):uint())
  tree:add(fields["bitmap"], tvb(FLOW_BYTES, held))
  tree:add(fields["arrived"], tvb(FLOW_BYTES, held), text):set_generated()
  if held == BITMAP_MOST and last >= 0x80 then
    find(tree, "rule", "The last bit is set")
  end
  if limits and limits[1] < BITMAP_MOST and held == length - FLOW_BYTES and last == 0 then
    find(tree, "malformed", "The bitmap ends with a byte of 0")
  end
  return text
end

local function add_nothing(tree, tvb, length)
  if length > FLOW_BYTES then
    find(tree, "malformed", string.format("%d bytes too many", length - FLOW_BYTES))
  end
  return ""
end

local function add_reset(tree, tvb, length)
  find(tree, "ended", "Nobody knows the token")
  return add_nothing(tree, tvb, length)
end

local function add_padding(tree, tvb, length)
  if tvb:len() > FLOW_BYTES then
    tree:add(fields["padding"], tvb(FLOW_BYTES))
  end
  return string.format("%d bytes", length)
end

local PART_LAYOUT = {{"part.total", 2}, {"part.offset", 2}, {"part.slice", REST}}
local PART_BYTES = 4

local function add_part(tree, tvb, length)
  if tvb:len() < FLOW_BYTES + PART_BYTES then
    find(tree, length > tvb:len() and "cut" or "malformed", "A part header has 4 bytes")
    return ""
  end
  local total, offset = tvb(FLOW_BYTES, 2):uint(), tvb(FLOW_BYTES + 2, 2):uint()
  local slice = length - FLOW_BYTES - PART_BYTES
  add_layout(tree, PART_LAYOUT, tvb, FLOW_BYTES, tvb:len() - FLOW_BYTES)
  if slice == 0 or offset % PART_UNIT ~= 0 or offset + slice > total or
     (slice % PART_UNIT ~= 0 and offset + slice ~= total) then
    find(tree, "malformed", string.format("A slice of %d bytes at %d of %d", slice, offset, total))
  end
  return string.format("%d bytes at %d of %d", slice, offset, total)
end

-- By type: what follows the flow header, the name of the field that `seq` is, and the first version
-- that has it.
local BODIES = {
  [DATA] = {add_operations, "seq", 1},
  [ACK] = {add_bitmap, "duplicates", 1},
  [PROBE] = {add_nothing, "seq", 1},
  [RESET] = {add_reset, "seq", 1},
  [SEARCH] = {add_padding, "question", 2},
  [FOUND] = {add_nothing, "question", 2},
  [PART] = {add_part, "seq", 2},
}

local function add_flow(tree, tvb, length, right)
  local version, kind = math.floor(tvb(0, 1):uint() / 16), tvb(0, 1):uint() % 16
  local body = BODIES[kind]
  if not body or version < body[3] then
    body = {nil, "seq"}
  end
  add_flags(tree, "flags", tvb(1, 1), FLOW_FLAGS, FLOW_FLAGS_KNOWN)
  tree:add(fields["ack_delay"], tvb(2, 2)):append_text(" (64 ns each)")
  tree:add(fields["ack_delay_ns"], tvb(2, 2), tvb(2, 2):uint() * 64):set_generated()
  local bad = add_crc(tree, "header_crc", tvb(4, 4), right)
  tree:add(fields["token"], tvb(8, 8))
  tree:add(fields[body[2]], tvb(16, 4))
  tree:add(fields["ack"], tvb(20, 4))
  local words = string.format("%s=%d ack=%d ", body[2], tvb(16, 4):uint(), tvb(20, 4):uint())
  if body[1] then
    words = words .. body[1](tree, tvb, length)
  else
    find(tree, "unknown", "A type of packet that is not known here")
    if tvb:len() > FLOW_BYTES then
      tree:add(fields["undecoded"], tvb(FLOW_BYTES))
    end
  end
  return words, bad
end

-- ---- HELLO ----

-- Fields from byte 8 on.
local HELLO_LAYOUT = {
  {"hello.error", 2}, {"hello.mtu", 2}, {"hello.features", 4, "features"}, {"hello.seq", 4},
  {"hello.udp_port", 2}, {"hello.reserved", 2}, {"hello.token", 8}, {"hello.nonce", 8},
  {"hello.cookie", 8}, {"hello.epoch", 8}, {"hello.reserved", REST},
}
local calls = {} -- frame of the last CALL by nonce

function saddle.init()
  calls = {}
end

local function check_hello(tree, tvb, kind)
  local opens = kind == CALL or kind == WELCOME
  if opens and tvb(24, 8):uint64() == UInt64(0) then
    find(tree, "rule", "The token is 0")
  end
  if opens and tvb(10, 2):uint() < MTU_MIN then
    find(tree, "rule", "The MTU is below 576")
  end
  if tvb(2, 1):uint() > tvb(3, 1):uint() then
    find(tree, "rule", "The lowest version is above the highest")
  end
  if not KINDS[kind] then
    find(tree, "unknown", "A kind of HELLO that is not known here")
  end
end

local function track_call(tree, tvb, pinfo, kind)
  local nonce = tostring(tvb(32, 8):bytes())
  if kind ~= CALL then
    if calls[nonce] then
      tree:add(fields["hello.call"], calls[nonce]):set_generated()
    end
  elseif not pinfo.visited then
    calls[nonce] = pinfo.number
  end
end

local function add_hello(tree, tvb, pinfo, length, right)
  local kind = tvb(1, 1):uint()
  tree:add(fields["hello.kind"], tvb(1, 1))
  tree:add(fields["hello.version_min"], tvb(2, 1))
  tree:add(fields["hello.version_max"], tvb(3, 1))
  local bad = add_crc(tree, "header_crc", tvb(4, 4), right)
  if tvb:len() < HELLO_BYTES then
    find(tree, length > tvb:len() and "cut" or "malformed", "HELLO has 96 bytes or more")
    tree:add(fields["undecoded"], tvb(8))
  else
    add_layout(tree, HELLO_LAYOUT, tvb, 8, tvb:len() - 8)
    check_hello(tree, tvb, kind)
    track_call(tree, tvb, pinfo, kind)
  end
  return KINDS[kind] or string.format("kind %d", kind), bad
end

-- ---- Packets ----

-- header_crc of a packet that was captured whole, or nil.
local function right_crc(tvb, pinfo, length)
  return length == tvb:len() and length >= FLOW_BYTES and header_crc(tvb, pinfo, length) or nil
end

local function add_packet(tree, tvb, pinfo, length)
  local version, kind = math.floor(tvb(0, 1):uint() / 16), tvb(0, 1):uint() % 16
  tree:add(fields["version"], tvb(0, 1))
  tree:add(fields["type"], tvb(0, 1))
  if tvb:len() < FLOW_BYTES then
    find(tree, length > tvb:len() and "cut" or "malformed", "No packet is that short")
    tree:add(fields["undecoded"], tvb(0))
    return "short"
  end
  local right = saddle.prefs.check and right_crc(tvb, pinfo, length) or nil
  local name = TYPES[kind] or string.format("type %d", kind)
  local words, bad
  if kind == HELLO and version == HELLO_VERSION then
    words, bad = add_hello(tree, tvb, pinfo, length, right)
  elseif VERSIONS[version] then
    words, bad = add_flow(tree, tvb, length, right)
  else
    bad = add_crc(tree, "header_crc", tvb(4, 4), right)
    find(tree, "unknown", string.format("Version %d is not known here", version))
    tree:add(fields["undecoded"], tvb(8))
    words = string.format("version %d", version)
  end
  return name .. " " .. words .. (bad and " [bad header_crc]" or "")
end

function saddle.dissector(tvb, pinfo, tree)
  if tvb:len() == 0 then
    return 0
  end
  pinfo.cols.protocol = "Saddle"
  local item = tree:add(saddle, tvb())
  local words = add_packet(item, tvb, pinfo, tvb:reported_len())
  item:append_text(": " .. words)
  pinfo.cols.info = words
  return tvb:len()
end

-- Of any UDP port, what has a right header_crc.
local function is_saddle(tvb, pinfo, tree)
  local length = tvb:len()
  if length < FLOW_BYTES or length ~= tvb:reported_len() then
    return false
  end
  local kind = tvb(0, 1):uint() % 16
  if not TYPES[kind] or header_crc(tvb, pinfo, length) ~= tvb(4, 4):uint() then
    return false
  end
  saddle.dissector(tvb, pinfo, tree)
  return true
end

saddle:register_heuristic("udp", is_saddle)

local ports = DissectorTable.get("udp.port")
local port = saddle.prefs.port
ports:add(port, saddle)

function saddle.prefs_changed()
  if saddle.prefs.port ~= port then
    ports:remove(port, saddle)
    port = saddle.prefs.port
    ports:add(port, saddle)
  end
end
