/* The data keys of an execution are destroyed, whoever reads or appends meanwhile. */
#include <functional>
#include <thread>

#include "tests/history/encryption_fixture.h"

namespace annals_test {
namespace {

class DestructionTest : public EncryptionTest {
 protected:
  DestructionTest() {
    options_.now_us = [](void *context) {
      auto *self = static_cast<DestructionTest *>(context);
      if (self->on_time_) {
        self->on_time_();
      }
      return self->now_us_;
    };
    options_.now_context = this;
    StartKeys();
  }

  std::function<void()> on_time_; /* called when the history asks for the time */
};

TEST_F(DestructionTest, IsDestroyedAndTheRestStays) {
  const std::vector<std::string> events = Chain(3, kInput);
  ASSERT_TRUE(Append(events, kArn, Encrypted()).ok);
  EXPECT_EQ(All(), Canonicals(events));
  script_.ForgetCalls();
  Rekeyed destroyed = Rekey(history_, true);
  EXPECT_TRUE(destroyed.ok) << destroyed.reason;
  EXPECT_EQ(destroyed.count, 1);
  EXPECT_EQ(script_.calls(), Calls());
  for (bool restarted : {false, true}) {
    Paged page = Page();
    EXPECT_EQ(page.reason, "KMS_INVALID_STATE") << restarted;
    EXPECT_EQ(page.metadata["kms_key_state"], "UNAVAILABLE");
    EXPECT_EQ(Describe().reason, "KMS_INVALID_STATE");
    EXPECT_EQ(Append({Entered(4, 200, kInput)}).reason, "KMS_INVALID_STATE");
    EXPECT_EQ(Append(events).reason, "KMS_INVALID_STATE");
    PageQuery query;
    query.data = false;
    EXPECT_EQ(All(query).size(), 3U);
    EXPECT_EQ(ListAll(), (std::vector<std::string>{kArn}));
    EXPECT_EQ(Rekey(history_, true).count, 0);
    EXPECT_EQ(Rekey(history_, false).count, 0) << "what was destroyed is brought back";
    Reopen();
    StartKeys();
  }
  EXPECT_EQ(script_.calls(), Calls());
  EXPECT_TRUE(Delete().ok);
  ASSERT_TRUE(Append(events, kArn, Encrypted()).ok);
  EXPECT_EQ(All(), Canonicals(events));
}

TEST_F(DestructionTest, IsDestroyedWithTheKeysOfAppendsUnderWay) {
  for (bool new_key : {false, true}) {
    ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted(60)).ok);
    Pass(new_key ? 61 : 1);
    const int before = annals_faulty_store_calls(store_, ANNALS_FAULTY_APPEND);
    annals_faulty_store_keep(store_, ANNALS_FAULTY_APPEND);
    std::future<Appended> late =
        std::async(std::launch::async, [&] { return Append({Entered(2, 101, kInput)}); });
    while (annals_faulty_store_calls(store_, ANNALS_FAULTY_APPEND) == before) {
      std::this_thread::yield();
    }
    EXPECT_EQ(Rekey(history_, true).count, 1);
    annals_faulty_store_keep(store_, 0);
    EXPECT_EQ(late.get().reason, "KMS_INVALID_STATE");
    EXPECT_EQ(DataKeys(), std::vector<int64_t>({1}));
    EXPECT_EQ(Page().reason, "KMS_INVALID_STATE");
    EXPECT_EQ(annals_data_keys_count(keys_), 0U) << "made for what was not appended";
    ASSERT_TRUE(Delete().ok);
  }
}

TEST_F(DestructionTest, IsDestroyedWithTheKeysOfAppendsThatWereFaster) {
  ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted(60)).ok);
  Pass(61);
  annals_faulty_store_keep(store_, ANNALS_FAULTY_PUT_DATA_KEY);
  std::future<Rekeyed> destroyed =
      std::async(std::launch::async, [&] { return Rekey(history_, true); });
  while (annals_faulty_store_calls(store_, ANNALS_FAULTY_PUT_DATA_KEY) == 0) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(Append({Entered(2, 101, kInput)}).ok);
  annals_faulty_store_keep(store_, 0);
  EXPECT_EQ(destroyed.get().count, 2);
  PageQuery last;
  last.reverse = true;
  last.max_results = 1;
  EXPECT_EQ(Page(last).reason, "KMS_INVALID_STATE");
  EXPECT_EQ(Append({Entered(3, 102, kInput)}).reason, "KMS_INVALID_STATE");
}

/* Who has read the record of a data key before it was destroyed asks for the key behind it. */
TEST_F(DestructionTest, HasNoKeyInMemoryThatIsDestroyed) {
  for (int64_t seconds : {1, 61}) {
    on_time_ = nullptr;
    ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted(60)).ok);
    Pass(seconds);
    StartKeys();
    const int calls = annals_faulty_store_calls(store_, ANNALS_FAULTY_GET_DATA_KEY);
    bool destroyed = false;
    on_time_ = [&] {
      if (!destroyed && annals_faulty_store_calls(store_, ANNALS_FAULTY_GET_DATA_KEY) > calls) {
        destroyed = true;
        EXPECT_EQ(Rekey(history_, true).count, 1);
      }
    };
    EXPECT_EQ(Append({Entered(2, 101, kInput)}).reason, "KMS_INVALID_STATE");
    EXPECT_TRUE(destroyed);
    EXPECT_EQ(annals_data_keys_count(keys_), 0U);
    EXPECT_EQ(DataKeys(), std::vector<int64_t>({1}));
    ASSERT_TRUE(Delete().ok);
  }
}

}  // namespace
}  // namespace annals_test
