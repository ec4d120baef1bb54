#include "client/batch.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

struct annals_client_event Event(size_t size) {
  return {nullptr, size};
}

TEST(Batch, AtMostAThousandEvents) {
  std::vector<struct annals_client_event> events(2500, Event(100));
  EXPECT_EQ(annals_batch_length(events.data(), 0), 0u);
  EXPECT_EQ(annals_batch_length(events.data(), 1), 1u);
  EXPECT_EQ(annals_batch_length(events.data(), 1000), 1000u);
  EXPECT_EQ(annals_batch_length(events.data(), events.size()), 1000u);
}

TEST(Batch, AtMostFourMebibytesWithTheirFrames) {
  // Tag and length of such an event take 4 bytes.
  std::vector<struct annals_client_event> events(6, Event((1 << 20) - 4));
  EXPECT_EQ(annals_batch_length(events.data(), events.size()), 4u);
  events[3].size++;
  EXPECT_EQ(annals_batch_length(events.data(), events.size()), 3u);
}

TEST(Batch, AtLeastOneEvent) {
  struct annals_client_event event = Event(5 << 20);
  EXPECT_EQ(annals_batch_length(&event, 1), 1u);
}

}  // namespace
