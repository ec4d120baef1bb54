#include "storage/frame.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/storage/store_client.h"

namespace annals_test {
namespace {

int64_t Count(const std::string &bytes) {
  return annals_frame_count(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
}

TEST(FrameTest, TakesOneFrameAfterTheOther) {
  const std::string bytes =
      "\x0a\x03"
      "abc" +
      std::string("\x0a\x00", 2) + "\x0a\x01z";
  const auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  size_t offset = 0;
  annals_frame frame;
  ASSERT_TRUE(annals_frame_next(data, bytes.size(), &offset, &frame));
  EXPECT_EQ(frame.bytes, data);
  EXPECT_EQ(frame.size, 5u);
  EXPECT_EQ(frame.event, data + 2);
  EXPECT_EQ(frame.event_size, 3u);
  ASSERT_TRUE(annals_frame_next(data, bytes.size(), &offset, &frame));
  EXPECT_EQ(frame.size, 2u);
  EXPECT_EQ(frame.event_size, 0u);
  ASSERT_TRUE(annals_frame_next(data, bytes.size(), &offset, &frame));
  EXPECT_EQ(frame.event[0], 'z');
  EXPECT_EQ(offset, bytes.size());
  EXPECT_FALSE(annals_frame_next(data, bytes.size(), &offset, &frame));
  EXPECT_EQ(offset, bytes.size());
  EXPECT_EQ(frame.event[0], 'z');
}

TEST(FrameTest, CountsFramesOfEveryLength) {
  std::string all;
  int64_t count = 0;
  for (size_t size : {0u, 1u, 127u, 128u, 16383u, 16384u, 70000u, 2097151u, 2097152u}) {
    std::string frame = Frame(std::string(size, 'x'));
    EXPECT_EQ(Count(frame), 1) << size;
    all += frame;
    count++;
  }
  EXPECT_EQ(Count(all), count);
  EXPECT_EQ(Count(""), 0);
}

TEST(FrameTest, RefusesEveryTruncation) {
  const std::string frame = Frame(std::string(200, 'x'));
  for (size_t size = 1; size < frame.size(); size++) {
    EXPECT_EQ(Count(frame.substr(0, size)), -1) << size;
  }
}

TEST(FrameTest, RefusesWhatIsNoFrame) {
  EXPECT_EQ(Count("\x0b\x01x"), -1);                     // another tag
  EXPECT_EQ(Count(std::string("\x0a\x80\x00", 3)), -1);  // a length that could be shorter
  EXPECT_EQ(Count("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -1);  // a length beyond 64 bits
  EXPECT_EQ(Count("\x0a\x80\x80\x80\x80\x80"), -1);                      // a length without an end
  EXPECT_EQ(Count("\x0a\xff\xff\xff\xff\x7f"), -1);                      // more than there is
  EXPECT_EQ(Count(Frame("x") + "y"), -1);                                // something behind
}

TEST(FrameTest, NamesTheDataKeyOfWhatIsEncrypted) {
  for (int64_t data_key : {int64_t{1}, int64_t{127}, int64_t{128}, (int64_t{1} << 35) - 1}) {
    const std::string bytes = Frame("event", data_key);
    annals_frame frame;
    size_t offset = 0;
    ASSERT_TRUE(annals_frame_next(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size(),
                                  &offset, &frame));
    EXPECT_EQ(frame.data_key, data_key);
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(frame.event), frame.event_size), "event");
    EXPECT_EQ(frame.size, bytes.size());
    for (size_t size = 1; size < bytes.size(); size++) {
      EXPECT_EQ(Count(bytes.substr(0, size)), -1) << size;
    }
  }
  EXPECT_EQ(Count(std::string("\x12\x01\x00", 3)), -1);      // data key 0
  EXPECT_EQ(Count(std::string("\x12\x00", 2)), -1);          // none
  EXPECT_EQ(Count("\x12\x01\x81"), -1);                      // one without an end
  EXPECT_EQ(Count(std::string("\x12\x02\x81\x00", 4)), -1);  // one that could be shorter
  EXPECT_EQ(Count("\x12\x01\x01" + Frame("x")), 2);
}

}  // namespace
}  // namespace annals_test
