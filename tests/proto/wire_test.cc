#include <gtest/gtest.h>

#include <cstring>

#include "tests/proto/codec_test_support.h"

namespace {

using annals_test::Bytes;
using annals_test::Int;
using annals_test::Varint;

annals_wire_result Next(const std::string &bytes, annals_wire_field *field) {
  annals_wire_reader reader = {reinterpret_cast<const uint8_t *>(bytes.data()),
                               reinterpret_cast<const uint8_t *>(bytes.data()) + bytes.size()};
  return annals_wire_next(&reader, field);
}

TEST(Wire, ReadsEachType) {
  annals_wire_field field;
  EXPECT_EQ(Next("", &field), ANNALS_WIRE_END);
  ASSERT_EQ(Next(Int(3, -1), &field), ANNALS_WIRE_FIELD);
  EXPECT_EQ(field.number, 3U);
  EXPECT_EQ(field.varint, UINT64_MAX);
  const std::string bytes = Bytes(2, "abc"); /* which the field is a view of */
  ASSERT_EQ(Next(bytes, &field), ANNALS_WIRE_FIELD);
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(field.bytes), field.size), "abc");
  ASSERT_EQ(Next(std::string("\x09") + "12345678", &field), ANNALS_WIRE_FIELD);
  EXPECT_EQ(field.type, ANNALS_WIRE_FIXED64);
  ASSERT_EQ(Next(std::string("\x0d") + "1234", &field), ANNALS_WIRE_FIELD);
  EXPECT_EQ(field.type, ANNALS_WIRE_FIXED32);
}

TEST(Wire, RefusesWhatIsNotProtobuf) {
  annals_wire_field field;
  const std::string malformed[] = {
      std::string("\x00\x01", 2),                     /* field number 0 */
      "\x0b",                                         /* a group begins */
      "\x0c",                                         /* a group ends */
      "\x0e\x01",                                     /* wire type 6 */
      "\x08",                                         /* no value */
      "\x08\x80",                                     /* half a varint */
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", /* more than 64 bits */
      "\x0a\x05"
      "abcd", /* shorter than its length */
      "\x09"
      "1234567",                                      /* seven bytes of eight */
      Varint(uint64_t{1} << 32) + "\x01",             /* field number 2^29 */
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", /* length 2^64 - 1 */
  };
  for (const std::string &bytes : malformed) {
    EXPECT_EQ(Next(bytes, &field), ANNALS_WIRE_MALFORMED) << testing::PrintToString(bytes);
  }
}

TEST(Wire, AcceptsTheLongestVarintAndOverlongOnes) {
  annals_wire_field field;
  ASSERT_EQ(Next("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &field), ANNALS_WIRE_FIELD);
  EXPECT_EQ(field.varint, UINT64_MAX);
  ASSERT_EQ(Next(std::string("\x08\x81\x80\x00", 4), &field), ANNALS_WIRE_FIELD);
  EXPECT_EQ(field.varint, 1U);
}

/* Each length, with and without bytes behind it, whole and cut off. */
TEST(Wire, TakesVarintsOfEachLength) {
  for (int bit = 0; bit < 64; bit++) {
    for (uint64_t value : {uint64_t{1} << bit, (uint64_t{2} << bit) - 1,
                           (uint64_t{0x5a5a5a5a5a5a5a5a} >> (63 - bit)) | uint64_t{1} << bit}) {
      uint8_t bytes[ANNALS_VARINT_BYTES_MAX + 16];
      memset(bytes, 0xff, sizeof bytes);
      const size_t size = annals_wire_put_varint(bytes, value);
      for (size_t behind : {0, 1, 6, 16}) {
        annals_wire_reader reader = {bytes, bytes + size + behind};
        uint64_t taken = 0;
        ASSERT_TRUE(annals_wire_take_varint(&reader, &taken));
        EXPECT_EQ(taken, value);
        EXPECT_EQ(reader.at, bytes + size);
      }
      annals_wire_reader cut = {bytes, bytes + size - 1};
      uint64_t taken;
      EXPECT_FALSE(annals_wire_take_varint(&cut, &taken));
    }
  }
}

TEST(Wire, WrapPutsTagAndLengthBefore) {
  annals_buffer out;
  annals_buffer_init(&out, 1000);
  annals_buffer_append_text(&out, "before");
  size_t start = out.len;
  for (int i = 0; i < 200; i++) {
    annals_buffer_append_byte(&out, 'x');
  }
  annals_wire_wrap(&out, start, 20);
  EXPECT_EQ(std::string(reinterpret_cast<char *>(out.data), out.len),
            "before" + Bytes(20, std::string(200, 'x')));
  annals_buffer_clear(&out);
}

}  // namespace
