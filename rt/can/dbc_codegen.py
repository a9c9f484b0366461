#!/usr/bin/env python3
"""Generate hub_codec.h and hub_codec.c from a DBC file (standard library only).

    dbc_codegen.py configs/hub.dbc OUTPUT_FOLDER

Per message: a struct of plain integers in raw units, hub_decode_<msg>() and hub_encode_<msg>(); besides, the ids, the
CRC and a table of all messages and signals. A field's name is the signal's in lower case and the unit of one raw step:
VOLTAGE in 0.1 V becomes voltage_dv. Only what the hub's bus uses of the DBC language is accepted: extended ids, 8 bytes,
little-endian, offset 0, one level of multiplexing. Anything else is an error that names the message and the signal.
"""
import pathlib
import re
import sys
from fractions import Fraction

EXTENDED = 1 << 31
UNIT_SUFFIX = {
    ("0.1", "V"): "dv", ("0.1", "A"): "da", ("0.01", "A"): "ca", ("0.1", "kW"): "hw", ("0.01", "kW"): "daw",
    ("0.1", "kWh"): "hwh", ("0.01", "Hz"): "chz", ("0.1", "degC"): "ddegc", ("10", "Ohm"): "10ohm",
    ("1", "mV"): "mv", ("1", "ms"): "ms", ("1", "s"): "s", ("1", "min"): "min", ("1", "%"): "pct",
    ("1", "byte"): "bytes", ("1", "kbit/s"): "kbit_s", ("1", ""): "",
}


class DbcError(Exception):
    pass


def snake(name):
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]{2,})([A-Z][a-z])", r"\1_\2", name)
    return name.lower()


class Signal:
    def __init__(self, message, match):
        self.name, mux, start, length, order, sign, factor, offset, low, high, self.unit = match.groups()
        where = f"{message.name}.{self.name}"
        self.start, self.length, self.signed = int(start), int(length), sign == "-"
        self.is_mux = mux == "M"
        self.mux = int(mux[1:]) if mux and mux != "M" else None
        if order != "1":
            raise DbcError(f"{where}: big-endian signals are not used on this bus; write @1")
        if Fraction(offset) != 0:
            raise DbcError(f"{where}: offset {offset}; every signal of this bus has offset 0")
        if not 1 <= self.length <= 32:
            raise DbcError(f"{where}: length {length}; allowed are 1 to 32 bits")
        if self.start + self.length > 64:
            raise DbcError(f"{where}: bits {start} to {self.start + self.length - 1} end beyond bit 63")
        scale = Fraction(factor)
        if scale <= 0:
            raise DbcError(f"{where}: factor {factor} must be positive")
        suffix = UNIT_SUFFIX.get((factor, self.unit))
        if suffix is None:
            raise DbcError(f"{where}: no field suffix for factor {factor} and unit '{self.unit}'; add one to UNIT_SUFFIX")
        self.field = snake(self.name)
        if suffix and not self.field.endswith("_" + suffix):
            self.field += "_" + suffix
        self.low, self.high = self.raw(where, low, scale), self.raw(where, high, scale)
        span = 1 << self.length
        least, most = (-span // 2, span // 2 - 1) if self.signed else (0, span - 1)
        if not least <= self.low <= self.high <= most:
            raise DbcError(f"{where}: range [{low}|{high}] does not fit {self.length} bits")

    @staticmethod
    def raw(where, text, scale):
        value = Fraction(text) / scale
        if value.denominator != 1:
            raise DbcError(f"{where}: limit {text} is not a multiple of the factor")
        return int(value)

    @property
    def ctype(self):
        if self.length == 1 and not self.signed:
            return "bool"
        return "int64_t" if self.length == 32 and not self.signed else "int32_t"

    def bits(self):
        return range(self.start, self.start + self.length)


class Message:
    def __init__(self, ident, name, dlc, sender):
        if not ident & EXTENDED:
            raise DbcError(f"{name}: id {ident} has no extended bit; this bus has 29-bit ids only (add {EXTENDED})")
        self.base, self.name, self.sender = ident & ~EXTENDED, name, sender
        if self.base > 0x1FFFFFFF:
            raise DbcError(f"{name}: id 0x{self.base:x} is longer than 29 bits")
        if dlc != 8:
            raise DbcError(f"{name}: length {dlc}; every message of this bus has 8 bytes")
        self.signals, self.attributes = [], {}

    def attribute(self, key, default=0):
        return self.attributes.get(key, default)

    @property
    def crc(self):
        return self.attribute("Crc8") == 1

    @property
    def fields(self):
        return [s for s in self.signals if not (self.crc and s.name == "CRC8")]

    @property
    def mux(self):
        return next((s for s in self.signals if s.is_mux), None)

    @property
    def upper(self):
        return snake(self.name).upper()

    def check(self):
        if not self.signals:
            raise DbcError(f"{self.name}: has no signals")
        names = [s.field for s in self.signals]
        for name in names:
            if names.count(name) > 1:
                raise DbcError(f"{self.name}: two signals become the field '{name}'")
        if len([s for s in self.signals if s.is_mux]) > 1:
            raise DbcError(f"{self.name}: more than one multiplexer")
        for s in self.signals:
            if s.mux is not None and self.mux is None:
                raise DbcError(f"{self.name}.{s.name}: multiplexed, but the message has no multiplexer (M)")
            if s.mux is not None and not self.mux.low <= s.mux <= self.mux.high:
                raise DbcError(f"{self.name}.{s.name}: multiplex value {s.mux} outside {self.mux.name}'s range")
        self.check_overlap()
        bits = self.attribute("PlcIdBits", 4)
        if bits and self.base & ((1 << bits) - 1):
            raise DbcError(f"{self.name}: the low {bits} bits of id 0x{self.base:x} are the plcId and must be 0")
        self.check_crc()

    def check_overlap(self):
        for i, a in enumerate(self.signals):
            for b in self.signals[i + 1:]:
                if a.mux is not None and b.mux is not None and a.mux != b.mux:
                    continue
                shared = set(a.bits()) & set(b.bits())
                if shared:
                    raise DbcError(f"{self.name}: signals {a.name} and {b.name} overlap at bit {min(shared)}")

    def check_crc(self):
        crc = [s for s in self.signals if s.name == "CRC8"]
        if self.crc and not (crc and crc[0].start == 56 and crc[0].length == 8):
            raise DbcError(f"{self.name}: attribute Crc8 is set, so a signal CRC8 : 56|8 must exist")
        if crc and not self.crc:
            raise DbcError(f"{self.name}: has a signal CRC8 but its attribute Crc8 is 0")


MESSAGE = re.compile(r"BO_ (\d+) (\w+) *: *(\d+) (\w+)$")
SIGNAL = re.compile(r"SG_ (\w+) *(M|m\d+)? *: *(\d+)\|(\d+)@([01])([+-]) *\(([^,]+),([^)]+)\)"
                    r" *\[([^|]+)\|([^\]]+)\] *\"([^\"]*)\" *.*$")
ATTRIBUTE = re.compile(r"BA_ \"(\w+)\" BO_ (\d+) (\d+);$")
COMMENT = re.compile(r"CM_ BO_ (\d+) \"([^\"]*)\";$")


def parse(text):
    messages, by_id, current, comments = [], {}, None, {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        try:
            if line.startswith("BO_ "):
                match = MESSAGE.match(line) or fail("not a message line")
                current = Message(int(match[1]), match[2], int(match[3]), match[4])
                if int(match[1]) in by_id:
                    fail(f"{current.name} has the id of {by_id[int(match[1])].name}: 0x{current.base:x}")
                if any(snake(m.name) == snake(current.name) for m in messages):
                    fail(f"two messages are called {current.name}")
                by_id[int(match[1])] = current
                messages.append(current)
            elif line.startswith("SG_ "):
                match = SIGNAL.match(line) or fail("not a signal line")
                current.signals.append(Signal(current, match)) if current else fail("signal before any message")
            elif line.startswith("BA_ ") and " BO_ " in line:
                match = ATTRIBUTE.match(line) or fail("not an attribute line with an integer value")
                (by_id.get(int(match[2])) or fail("attribute of an unknown message")).attributes[match[1]] = int(match[3])
            elif line.startswith("CM_ BO_"):
                match = COMMENT.match(line) or fail("not a comment on one line")
                comments[int(match[1])] = match[2]
        except (DbcError, ValueError, ZeroDivisionError) as error:
            raise DbcError(f"line {number}: {error}") from None
    if not messages:
        raise DbcError("no messages (BO_ lines) found")
    for ident, message in by_id.items():
        message.comment = comments.get(ident, "")
        message.check()
    return sorted(messages, key=lambda m: m.base)


def fail(text):
    raise DbcError(text)


HEADER_TOP = """/* Generated from {source} by rt/can/dbc_codegen.py: do not edit. Edit the DBC.
 *
 * Fields hold raw values; the unit of one step ends the name (_dv 0.1 V, _da 0.1 A, _ca 0.01 A, _hw 0.1 kW, _daw 10 W,
 * _hwh 0.1 kWh, _chz 0.01 Hz, _10ohm 10 Ohm). id of a frame = HUB_ID_x | plcId.
 * hub_decode_x fills every field; false only for a multiplex value the message does not have (then *out is all zero).
 * Fields of the other multiplex values are 0. It does not look at the CRC: see hub_crc8_ok.
 * hub_encode_x writes all 8 bytes, unused bits 0, byte 7 the CRC where the message carries one; false, and data all
 * zero, when a field lies outside its signal's range. Pure, constant time.
 */
#ifndef RINGMAIN_HUB_CODEC_H
#define RINGMAIN_HUB_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_PLC_ID_MASK 0x{mask:x}u

/* Polynomial 0x07, init 0, no reflection, no final xor. */
uint8_t hub_crc8(const uint8_t *data, size_t length);
/* Byte 7 is the CRC of bytes 0..6. */
bool hub_crc8_ok(const uint8_t data[8]);
"""

TABLE_DECL = """
enum hub_field_type {{ HUB_FIELD_BOOL, HUB_FIELD_I32, HUB_FIELD_I64 }};

/* One signal, for generic tools and tests: where its field lies in the message's struct. */
struct hub_signal {{
    const char *name; /* as in the DBC */
    size_t offset;
    enum hub_field_type type;
    int64_t minimum, maximum; /* raw */
    int16_t mux;              /* multiplex value it belongs to, -1 always there */
}};

struct hub_message {{
    uint32_t base_id;
    const char *name; /* as in the DBC */
    bool has_crc, from_hub;
    uint8_t frames_per_period;
    uint16_t period_ms;   /* 0: on events only */
    uint16_t deadline_ms; /* of frames the hub sends; 0 none */
    size_t struct_size;
    const struct hub_signal *signal;
    size_t signals;
    bool (*decode)(const uint8_t data[8], void *out);
    bool (*encode)(const void *in, uint8_t data[8]);
}};

enum hub_message_index {{
{indices}
    HUB_MESSAGE_COUNT
}};
extern const struct hub_message hub_messages[HUB_MESSAGE_COUNT];

/* Index of the message with this base id (plcId bits removed by the caller), or -1. */
int hub_message_index(uint32_t base_id);

#endif
"""

SOURCE_TOP = """/* Generated from {source} by rt/can/dbc_codegen.py: do not edit. Edit the DBC. */
#include "hub_codec.h"

#include <string.h>

uint8_t hub_crc8(const uint8_t *data, size_t length) {{
    static const uint8_t table[256] = {{
{table}
    }};
    uint8_t crc = 0;
    for (size_t i = 0; i < length; i++) {{
        crc = table[crc ^ data[i]];
    }}
    return crc;
}}

bool hub_crc8_ok(const uint8_t data[8]) {{
    return hub_crc8(data, 7) == data[7];
}}

static uint64_t load(const uint8_t data[8]) {{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++) {{
        word |= (uint64_t)data[i] << (8 * i);
    }}
    return word;
}}

static void store(uint64_t word, uint8_t data[8]) {{
    for (unsigned i = 0; i < 8; i++) {{
        data[i] = (uint8_t)(word >> (8 * i));
    }}
}}

static int64_t bits_unsigned(uint64_t word, unsigned start, unsigned length) {{
    return (int64_t)((word >> start) & ((UINT64_C(1) << length) - 1));
}}

static int64_t bits_signed(uint64_t word, unsigned start, unsigned length) {{
    int64_t value = bits_unsigned(word, start, length);
    return value >= (INT64_C(1) << (length - 1)) ? value - (INT64_C(1) << length) : value;
}}

/* Adds a value to the word; clears *ok when it is out of range. */
static uint64_t put(int64_t value, int64_t minimum, int64_t maximum, unsigned start, unsigned length,
                    bool *ok) {{
    if (value < minimum || value > maximum) {{
        *ok = false;
        return 0;
    }}
    return ((uint64_t)value & ((UINT64_C(1) << length) - 1)) << start;
}}
"""


def crc_table():
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
        rows.append(f"0x{crc:02x}")
    return "\n".join("        " + ", ".join(rows[i:i + 12]) + "," for i in range(0, 256, 12))


def literal(value):
    return f"INT64_C({value})" if value >= 0 else f"-INT64_C({-value})"


def header_of(message):
    name = snake(message.name)
    lines = ["", f"/* {message.name}: {message.comment} */", f"#define HUB_ID_{message.upper} 0x{message.base:x}u",
             f"#define HUB_CRC_{message.upper} {int(message.crc)}", f"struct hub_{name} {{"]
    lines += [f"    {s.ctype} {s.field};" for s in message.fields]
    lines += ["};", f"bool hub_decode_{name}(const uint8_t data[8], struct hub_{name} *out);",
              f"bool hub_encode_{name}(const struct hub_{name} *in, uint8_t data[8]);"]
    return "\n".join(lines) + "\n"


def decode_lines(signals, indent):
    lines = []
    for s in signals:
        value = f"bits_{'signed' if s.signed else 'unsigned'}(word, {s.start}, {s.length})"
        cast = f"{value} != 0" if s.ctype == "bool" else (value if s.ctype == "int64_t" else f"(int32_t){value}")
        lines.append(f"{indent}out->{s.field} = {cast};")
    return lines


def encode_lines(signals, indent):
    return [f"{indent}word |= put(in->{s.field}, {literal(s.low)}, {literal(s.high)}, {s.start}, {s.length}, &ok);"
            for s in signals]


def mux_lines(message, emit, other):
    lines = []
    values = sorted({s.mux for s in message.fields if s.mux is not None})
    for i, value in enumerate(values):
        lines.append(f"    {'} else ' if i else ''}if ((mux) == {value}) {{".replace("(mux)", other))
        lines += emit([s for s in message.fields if s.mux == value], "        ")
    lines += ["    } else {", "        goto unknown;", "    }"]
    return lines


def source_of(message):
    name = snake(message.name)
    always = [s for s in message.fields if s.mux is None]
    out = ["", f"bool hub_decode_{name}(const uint8_t data[8], struct hub_{name} *out) {{",
           "    const uint64_t word = load(data);", "    memset(out, 0, sizeof(*out));"]
    out += decode_lines(always, "    ")
    if message.mux:
        out += mux_lines(message, decode_lines, f"out->{message.mux.field}")
        out += ["    return true;", "unknown:", "    memset(out, 0, sizeof(*out));", "    return false;"]
    else:
        out.append("    return true;")
    out += ["}", "", f"bool hub_encode_{name}(const struct hub_{name} *in, uint8_t data[8]) {{",
            "    uint64_t word = 0;", "    bool ok = true;", "    memset(data, 0, 8);"]
    out += encode_lines(always, "    ")
    if message.mux:
        out += mux_lines(message, encode_lines, f"in->{message.mux.field}")
    out += ["    if (!ok) {", "        return false;", "    }", "    store(word, data);"]
    if message.crc:
        out.append("    data[7] = hub_crc8(data, 7);")
    out.append("    return true;")
    if message.mux:
        out += ["unknown:", "    return false;"]
    out += ["}", "", f"static bool decode_any_{name}(const uint8_t data[8], void *out) {{",
            f"    return hub_decode_{name}(data, out);", "}", "",
            f"static bool encode_any_{name}(const void *in, uint8_t data[8]) {{",
            f"    return hub_encode_{name}(in, data);", "}", "",
            f"static const struct hub_signal signals_{name}[] = {{"]
    kind = {"bool": "HUB_FIELD_BOOL", "int32_t": "HUB_FIELD_I32", "int64_t": "HUB_FIELD_I64"}
    for s in message.fields:
        out.append(f"    {{\"{s.name}\", offsetof(struct hub_{name}, {s.field}), {kind[s.ctype]}, {literal(s.low)}, "
                   f"{literal(s.high)}, {-1 if s.mux is None else s.mux}}},")
    return "\n".join(out + ["};"]) + "\n"


def tables_of(messages):
    out = ["", "const struct hub_message hub_messages[HUB_MESSAGE_COUNT] = {"]
    for m in messages:
        name = snake(m.name)
        out.append(f"    [HUB_MESSAGE_{m.upper}] = {{HUB_ID_{m.upper}, \"{m.name}\", {str(m.crc).lower()}, "
                   f"{str(m.sender == 'HUB').lower()}, {m.attribute('FramesPerPeriod', 1)}, "
                   f"{m.attribute('GenMsgCycleTime')}, {m.attribute('DeadlineMs')}, sizeof(struct hub_{name}), "
                   f"signals_{name}, sizeof(signals_{name}) / sizeof(signals_{name}[0]), decode_any_{name}, "
                   f"encode_any_{name}}},")
    out += ["};", "", "int hub_message_index(uint32_t base_id) {", "    switch (base_id) {"]
    out += [f"    case HUB_ID_{m.upper}: return HUB_MESSAGE_{m.upper};" for m in messages]
    return "\n".join(out + ["    default: return -1;", "    }", "}"]) + "\n"


def main(argv):
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, folder = pathlib.Path(argv[1]), pathlib.Path(argv[2])
    try:
        messages = parse(source.read_text(encoding="utf-8"))
    except (DbcError, OSError, UnicodeDecodeError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    label = f"{source.parent.name}/{source.name}"
    mask = (1 << max(m.attribute("PlcIdBits", 4) for m in messages)) - 1
    header = HEADER_TOP.format(source=label, mask=mask) + "".join(map(header_of, messages))
    header += TABLE_DECL.format(indices="\n".join(f"    HUB_MESSAGE_{m.upper}," for m in messages))
    body = SOURCE_TOP.format(source=label, table=crc_table()) + "".join(map(source_of, messages))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hub_codec.h").write_text(header, encoding="utf-8")
    (folder / "hub_codec.c").write_text(body + tables_of(messages), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
