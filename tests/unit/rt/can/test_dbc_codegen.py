"""The generator refuses what it must refuse, and names the place."""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # no cache beside the sources

TOP = pathlib.Path(__file__).resolve().parents[4]
sys.path.insert(0, str(TOP / "rt" / "can"))
import dbc_codegen  # noqa: E402

EXTENDED = 1 << 31
GOOD = """BO_ {id} Sample: 8 PLC
 SG_ FIRST : 0|8@1+ (1,0) [0|255] "" HUB
 SG_ SECOND : 8|16@1- (0.1,0) [-3276.8|3276.7] "V" HUB
"""


def text(extra="", ident=0x100):
    return GOOD.format(id=ident | EXTENDED) + extra


class Generator(unittest.TestCase):
    def refused(self, dbc, *words):
        with self.assertRaises(dbc_codegen.DbcError) as caught:
            dbc_codegen.parse(dbc)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_good_message_is_taken(self):
        message = dbc_codegen.parse(text())[0]
        self.assertEqual(message.base, 0x100)
        self.assertEqual([s.field for s in message.signals], ["first", "second_dv"])
        self.assertEqual((message.signals[1].low, message.signals[1].high), (-32768, 32767))

    def test_overlap_is_refused(self):
        self.refused(text(' SG_ THIRD : 23|2@1+ (1,0) [0|3] "" HUB\n'), "SECOND", "THIRD", "overlap", "bit 23")

    def test_overlap_within_one_multiplex_value_is_refused(self):
        self.refused(text(' SG_ MUX M : 24|8@1+ (1,0) [0|1] "" HUB\n SG_ A m0 : 32|8@1+ (1,0) [0|255] "" HUB\n'
                          ' SG_ B m0 : 39|8@1+ (1,0) [0|255] "" HUB\n'), "overlap")

    def test_overlap_across_multiplex_values_is_taken(self):
        dbc_codegen.parse(text(' SG_ MUX M : 24|8@1+ (1,0) [0|1] "" HUB\n SG_ A m0 : 32|8@1+ (1,0) [0|255] "" HUB\n'
                               ' SG_ B m1 : 32|8@1+ (1,0) [0|255] "" HUB\n'))

    def test_beyond_64_bits_is_refused(self):
        self.refused(text(' SG_ THIRD : 60|5@1+ (1,0) [0|31] "" HUB\n'), "Sample.THIRD", "beyond bit 63")

    def test_duplicate_id_is_refused(self):
        self.refused(text() + text().replace("Sample", "Other"), "Other", "Sample", "0x100")

    def test_duplicate_name_is_refused(self):
        self.refused(text() + text(ident=0x110), "two messages")

    def test_standard_id_is_refused(self):
        self.refused(GOOD.format(id=0x100), "Sample", "extended")

    def test_plc_id_bits_in_use_are_refused(self):
        self.refused(text(ident=0x101), "plcId")

    def test_other_length_is_refused(self):
        self.refused(text().replace(": 8 PLC", ": 7 PLC"), "8 bytes")

    def test_big_endian_is_refused(self):
        self.refused(text(' SG_ THIRD : 32|8@0+ (1,0) [0|255] "" HUB\n'), "big-endian")

    def test_offset_is_refused(self):
        self.refused(text(' SG_ THIRD : 32|8@1+ (1,-40) [-40|215] "" HUB\n'), "offset")

    def test_range_beyond_bits_is_refused(self):
        self.refused(text(' SG_ THIRD : 32|8@1+ (1,0) [0|256] "" HUB\n'), "does not fit 8 bits")

    def test_crc_attribute_without_signal_is_refused(self):
        self.refused(text(f'BA_ "Crc8" BO_ {0x100 | EXTENDED} 1;\n'), "CRC8")

    def test_crc_signal_without_attribute_is_refused(self):
        self.refused(text(' SG_ CRC8 : 56|8@1+ (1,0) [0|255] "" HUB\n'), "Crc8")

    def test_multiplexed_without_multiplexer_is_refused(self):
        self.refused(text(' SG_ THIRD m0 : 32|8@1+ (1,0) [0|255] "" HUB\n'), "multiplexer")

    def test_unknown_unit_is_refused(self):
        self.refused(text(' SG_ THIRD : 32|8@1+ (1,0) [0|255] "furlong" HUB\n'), "furlong")

    def test_malformed_line_is_refused_with_its_number(self):
        self.refused(text(" SG_ THIRD 32|8\n"), "line 4")

    def test_empty_file_is_refused(self):
        self.refused("", "no messages")

    def test_program_reports_and_writes_nothing_on_error(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "bad.dbc"
            source.write_text(text(ident=0x101))
            out = pathlib.Path(folder) / "out"
            self.assertEqual(dbc_codegen.main(["dbc_codegen", str(source), str(out)]), 1)
            self.assertFalse(out.exists())

    def test_hub_dbc_is_taken(self):
        self.assertEqual(len(dbc_codegen.parse((TOP / "configs" / "hub.dbc").read_text())), 30)


if __name__ == "__main__":
    unittest.main()
