#include "proto/json_escape.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "proto/json_writer.h"

namespace {

/* By the grammar of JSON, one byte at a time. */
std::string Reference(const std::string &text) {
  std::string out;
  for (unsigned char byte : text) {
    static const char meanings[] = {'\b', '\t', '\n', '\f', '\r', '"', '\\'};
    const void *named = memchr(meanings, byte, sizeof meanings);
    if (named != nullptr) {
      out += {'\\', "btnfr\"\\"[static_cast<const char *>(named) - meanings]};
    } else if (byte < 0x20) {
      char hex[8];
      snprintf(hex, sizeof hex, "\\u%04x", byte);
      out += hex;
    } else {
      out += static_cast<char>(byte);
    }
  }
  return out;
}

/* In memory that is not a byte larger than needed: AddressSanitizer sees to the promises. */
std::string Escape(const annals_json_escaper *escaper, const std::string &text) {
  std::unique_ptr<uint8_t[]> from(new uint8_t[text.size()]);
  std::unique_ptr<uint8_t[]> to(
      new uint8_t[text.size() * ANNALS_JSON_ESCAPE_BYTES_MAX + ANNALS_JSON_ESCAPE_SLACK]);
  memcpy(from.get(), text.data(), text.size());
  uint8_t *end = escaper->escape(to.get(), from.get(), text.size());
  return std::string(to.get(), end);
}

void ExpectSame(const std::string &text) {
  for (const annals_json_escaper *each = annals_json_escapers(); each->name != nullptr; each++) {
    ASSERT_EQ(Escape(each, text), Reference(text)) << each->name;
  }
}

TEST(JsonEscape, HasOneWithoutVectorsAndTheOneThatServes) {
  const annals_json_escaper *escapers = annals_json_escapers();
  EXPECT_STREQ(escapers[0].name, "bytes");
  const annals_json_escaper *last = escapers;
  while (last[1].name != nullptr) {
    last++;
  }
  EXPECT_EQ(annals_json_escape, last->escape);
#ifdef __x86_64__
  EXPECT_STREQ(escapers[1].name, "sse2");
  EXPECT_STREQ(last->name, __builtin_cpu_supports("avx2") ? "avx2" : "sse2");
#endif
}

TEST(JsonEscape, TakesEachByteAtEachPlace) {
  for (int byte = 0; byte < 256; byte++) {
    for (size_t place = 0; place < 70; place++) {
      std::string text(70, 'a');
      text[place] = static_cast<char>(byte);
      ExpectSame(text);
    }
  }
}

TEST(JsonEscape, TakesEachLengthOfOneByte) {
  for (int byte : {'a', '"', '\\', '\n', '\x01', '\x1f', '\x7f', '\xff'}) {
    for (size_t size = 0; size < 140; size++) {
      ExpectSame(std::string(size, static_cast<char>(byte)));
    }
  }
}

TEST(JsonEscape, TakesEachSetOfEightBytesToBeEscaped) {
  for (int set = 0; set < 256; set++) {
    std::string text;
    for (int i = 0; i < 8; i++) {
      text += set >> i & 1 ? "\"\\\b\t\n\f\r"[(set + i) % 7] : static_cast<char>('a' + i);
    }
    for (size_t before : {0, 3, 8, 16, 23, 24}) {
      ExpectSame(std::string(before, '.') + text);
      ExpectSame(std::string(before, '.') + text + std::string(40 - before, '.'));
    }
  }
}

TEST(JsonEscape, TakesBytesByChance) {
  std::mt19937 random(8);
  const std::string common("\"\\\n\r\tab{}:,0 \x01\x1f\x7f\xc3\xa9\xf0", 19);
  for (int round = 0; round < 2000; round++) {
    std::string text(random() % 300, 0);
    for (char &byte : text) {
      byte = static_cast<char>(round % 2 != 0 ? random() : common[random() % common.size()]);
    }
    ExpectSame(text);
  }
}

std::string Written(size_t max, const std::string &text, bool *ret_ok) {
  annals_buffer out;
  annals_json_writer writer;
  annals_buffer_init(&out, max);
  annals_json_writer_init(&writer, &out);
  *ret_ok =
      annals_json_writer_text(&writer, reinterpret_cast<const uint8_t *>(text.data()), text.size());
  annals_json_writer_end(&writer);
  std::string written(reinterpret_cast<const char *>(out.data), out.len);
  EXPECT_EQ(*ret_ok, !out.failed);
  annals_buffer_clear(&out);
  return written;
}

TEST(JsonWriter, FillsABufferUpToItsMaximum) {
  for (size_t size : {1, 63, 64, 65, 300, 2047, 2048, 2049, 10000}) {
    for (const char *unit : {"a", "\"", "\x01", "abcdefg\n"}) {
      std::string text;
      while (text.size() < size) {
        text += unit;
      }
      const std::string escaped = Reference(text);
      bool ok;
      EXPECT_EQ(Written(escaped.size(), text, &ok), escaped);
      EXPECT_TRUE(ok);
      Written(escaped.size() - 1, text, &ok);
      EXPECT_FALSE(ok);
      EXPECT_EQ(Written(1 << 20, text, &ok), escaped);
      EXPECT_TRUE(ok);
    }
  }
}

std::string Number(int64_t value) {
  annals_buffer out;
  annals_json_writer writer;
  annals_buffer_init(&out, 1000);
  annals_json_writer_init(&writer, &out);
  EXPECT_TRUE(annals_json_writer_room(&writer, ANNALS_JSON_NUMBER_BYTES_MAX));
  annals_json_writer_int(&writer, value);
  annals_json_writer_end(&writer);
  std::string written(reinterpret_cast<const char *>(out.data), out.len);
  annals_buffer_clear(&out);
  return written;
}

TEST(JsonWriter, WritesNumbers) {
  for (int64_t power = 1;; power *= 10) {
    for (int64_t value : {power - 1, power, power + 1, 7 * (power / 7), -power, 1 - power}) {
      EXPECT_EQ(Number(value), std::to_string(value));
    }
    if (power > INT64_MAX / 10) {
      break;
    }
  }
  EXPECT_EQ(Number(INT64_MAX), "9223372036854775807");
  EXPECT_EQ(Number(INT64_MIN), "-9223372036854775808");
}

}  // namespace
