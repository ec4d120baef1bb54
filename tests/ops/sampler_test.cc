#include "server/ops/sampler.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace {

enum { LONG_MS = 60000 };

/* What is sampled: hangs while it is told to. */
class Disk {
 public:
  static void sample(void *context) {
    auto *disk = static_cast<Disk *>(context);
    std::unique_lock<std::mutex> lock(disk->mutex_);
    disk->begun_++;
    disk->changed_.notify_all();
    disk->changed_.wait(lock, [disk] { return !disk->hangs_; });
    disk->ended_++;
  }
  void hang(bool hangs) {
    std::lock_guard<std::mutex> lock(mutex_);
    hangs_ = hangs;
    changed_.notify_all();
  }
  int begun() {
    std::lock_guard<std::mutex> lock(mutex_);
    return begun_;
  }
  int ended() {
    std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }
  void wait_begun(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this, count] { return begun_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = false;
  int begun_ = 0;
  int ended_ = 0;
};

class Sampler : public testing::Test {
 protected:
  void TearDown() override {
    disk_.hang(false);
    annals_sampler_free(sampler_);
  }
  Disk disk_;
  annals_sampler *sampler_ = annals_sampler_new(Disk::sample, &disk_, nullptr);
};

TEST_F(Sampler, WaitsForEachSample) {
  for (int count = 1; count <= 3; count++) {
    EXPECT_GE(annals_sampler_run(sampler_, LONG_MS), 0);
    EXPECT_EQ(disk_.ended(), count);
  }
}

TEST_F(Sampler, DoesNotWaitForOneThatHangs) {
  disk_.hang(true);
  EXPECT_EQ(annals_sampler_run(sampler_, 1), -1);
  disk_.wait_begun(1);
  g_usleep(2000);
  gint64 from_us = g_get_monotonic_time();
  EXPECT_EQ(annals_sampler_run(sampler_, 1), -1);
  EXPECT_LT(g_get_monotonic_time() - from_us, gint64{LONG_MS} * 1000);
  EXPECT_EQ(disk_.begun(), 1);
  EXPECT_EQ(disk_.ended(), 0);
}

TEST_F(Sampler, TellsHowOldTheLastSampleIs) {
  EXPECT_GE(annals_sampler_run(sampler_, LONG_MS), 0);
  disk_.hang(true);
  EXPECT_GE(annals_sampler_run(sampler_, 1), 1000);
  disk_.hang(false);
  EXPECT_GE(annals_sampler_run(sampler_, LONG_MS), 0);
  EXPECT_GE(disk_.ended(), 2);
}

TEST(SamplerFree, TakesNothing) {
  annals_sampler_free(nullptr);
}

}  // namespace
