#include <gtest/gtest.h>

extern "C" {
#include "proto/buffer.h"
}

namespace {

TEST(Buffer, GrowsUpToItsMaximum) {
  annals_buffer buffer;
  annals_buffer_init(&buffer, 1000);
  for (int i = 0; i < 1000; i++) {
    annals_buffer_append_byte(&buffer, static_cast<uint8_t>(i));
  }
  EXPECT_FALSE(buffer.failed);
  EXPECT_EQ(buffer.len, 1000U);
  EXPECT_LE(buffer.cap, 1000U);
  EXPECT_EQ(buffer.data[999], 999 % 256);
  annals_buffer_clear(&buffer);
}

TEST(Buffer, FailsBeyondItsMaximumAndStaysFailed) {
  annals_buffer buffer;
  annals_buffer_init(&buffer, 10);
  annals_buffer_append_text(&buffer, "0123456789");
  EXPECT_FALSE(buffer.failed);
  annals_buffer_append_byte(&buffer, '!');
  EXPECT_TRUE(buffer.failed);
  EXPECT_EQ(annals_buffer_reserve(&buffer, 0), nullptr);
  EXPECT_EQ(buffer.len, 10U);
  annals_buffer_reset(&buffer);
  EXPECT_FALSE(buffer.failed);
  EXPECT_EQ(buffer.len, 0U);
  annals_buffer_clear(&buffer);
}

TEST(Buffer, FailsWhereASizeWouldOverflow) {
  annals_buffer buffer;
  annals_buffer_init(&buffer, 10);
  annals_buffer_append_byte(&buffer, 'a');
  EXPECT_EQ(annals_buffer_reserve(&buffer, SIZE_MAX), nullptr);
  EXPECT_TRUE(buffer.failed);
  annals_buffer_clear(&buffer);
}

TEST(Buffer, StealHandsTheBytesOver) {
  annals_buffer buffer;
  annals_buffer_init(&buffer, 100);
  annals_buffer_append_text(&buffer, "abc");
  size_t size;
  uint8_t *bytes = annals_buffer_steal(&buffer, &size);
  EXPECT_EQ(std::string(reinterpret_cast<char *>(bytes), size), "abc");
  EXPECT_EQ(buffer.data, nullptr);
  g_free(bytes);
  annals_buffer_append_text(&buffer, "d");
  EXPECT_EQ(buffer.len, 1U);
  annals_buffer_clear(&buffer);
}

}  // namespace
