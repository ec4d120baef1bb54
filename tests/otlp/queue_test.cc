#include "server/otlp/queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace annals {
namespace {

constexpr int64_t kLong = 3600LL * G_USEC_PER_SEC;

using Queue = std::unique_ptr<annals_span_queue, decltype(&annals_span_queue_free)>;

Queue NewQueue(guint spans_max) {
  return Queue(annals_span_queue_new(spans_max), annals_span_queue_free);
}

/* Spans are told apart by their status. */
annals_span *NewSpan(int64_t status) {
  annals_span *span = g_new0(annals_span, 1);
  span->status = status;
  return span;
}

std::vector<int64_t> Take(annals_span_queue *queue, guint batch_max, int64_t linger_us) {
  std::vector<int64_t> taken;
  GPtrArray *batch = annals_span_queue_take(queue, batch_max, linger_us);
  for (guint i = 0; batch != nullptr && i < batch->len; i++) {
    taken.push_back(static_cast<annals_span *>(batch->pdata[i])->status);
  }
  g_clear_pointer(&batch, g_ptr_array_unref);
  return taken;
}

TEST(Queue, GivesTheOldestFirstAndNoMoreThanABatch) {
  Queue queue = NewQueue(8);
  for (int i = 1; i <= 5; i++) {
    ASSERT_TRUE(annals_span_queue_push(queue.get(), NewSpan(i)));
  }
  EXPECT_EQ(annals_span_queue_length(queue.get()), 5U);
  EXPECT_EQ(Take(queue.get(), 3, kLong), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(Take(queue.get(), 3, 0), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(annals_span_queue_length(queue.get()), 0U);
}

TEST(Queue, TakesNoMoreThanItsMaximum) {
  Queue queue = NewQueue(2);
  EXPECT_TRUE(annals_span_queue_push(queue.get(), NewSpan(1)));
  EXPECT_TRUE(annals_span_queue_push(queue.get(), NewSpan(2)));
  EXPECT_FALSE(annals_span_queue_push(queue.get(), NewSpan(3)));
  EXPECT_EQ(Take(queue.get(), 2, kLong), (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(annals_span_queue_push(queue.get(), NewSpan(4)));
}

TEST(Queue, WakesWhoWaitsForABatch) {
  Queue queue = NewQueue(8);
  std::vector<int64_t> taken;
  std::thread taker([&] { taken = Take(queue.get(), 3, kLong); });
  for (int i = 1; i <= 3; i++) {
    ASSERT_TRUE(annals_span_queue_push(queue.get(), NewSpan(i)));
  }
  taker.join();
  EXPECT_EQ(taken, (std::vector<int64_t>{1, 2, 3}));
}

TEST(Queue, WakesWhoWaitsForTheFirst) {
  Queue queue = NewQueue(8);
  std::vector<int64_t> taken;
  std::thread taker([&] { taken = Take(queue.get(), 3, 1); });
  ASSERT_TRUE(annals_span_queue_push(queue.get(), NewSpan(1)));
  taker.join();
  EXPECT_EQ(taken, std::vector<int64_t>{1});
}

TEST(Queue, GivesWhatIsLeftWhenItIsClosed) {
  Queue queue = NewQueue(8);
  ASSERT_TRUE(annals_span_queue_push(queue.get(), NewSpan(1)));
  annals_span_queue_close(queue.get());
  EXPECT_FALSE(annals_span_queue_push(queue.get(), NewSpan(2)));
  EXPECT_EQ(Take(queue.get(), 3, kLong), std::vector<int64_t>{1});
  EXPECT_EQ(annals_span_queue_take(queue.get(), 3, kLong), nullptr);
}

TEST(Queue, EndsWaitsWhenItIsClosed) {
  Queue queue = NewQueue(8);
  EXPECT_FALSE(annals_span_queue_wait(queue.get(), 1));
  bool closed = false;
  std::thread waiter([&] { closed = annals_span_queue_wait(queue.get(), kLong); });
  annals_span_queue_close(queue.get());
  waiter.join();
  EXPECT_TRUE(closed);
}

}  // namespace
}  // namespace annals
