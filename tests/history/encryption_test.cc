/* Histories that are encrypted: what is stored, what is read, and what keys it takes. */
#include "tests/history/encryption_fixture.h"

extern "C" {
#include "server/history/watch.h"
}

namespace annals_test {
namespace {

const char kGenerate[] =
    "generate alias/orders aws:states:executionArn="
    "arn:aws:states:us-east-1:123456789012:execution:machine:name";
const char kUnwrap[] =
    "unwrap key/1 aws:states:executionArn="
    "arn:aws:states:us-east-1:123456789012:execution:machine:name";

TEST_F(EncryptionTest, StoresNoTextAndGivesItBack) {
  const std::vector<std::string> events = Chain(5, kInput);
  Appended appended = Append(events, kArn, Encrypted());
  ASSERT_TRUE(appended.ok) << appended.message;
  EXPECT_EQ(appended.appended, 5);
  EXPECT_EQ(Stored().find("MARKED"), std::string::npos);
  EXPECT_EQ(DataKeys(), std::vector<int64_t>(5, 1));
  for (bool restarted : {false, true}) {
    EXPECT_EQ(All(), Canonicals(events));
    PageQuery reverse;
    reverse.reverse = true;
    reverse.max_results = 2;
    std::vector<std::string> backwards = Canonicals(events);
    std::reverse(backwards.begin(), backwards.end());
    EXPECT_EQ(All(reverse), backwards);
    EXPECT_EQ(script_.calls(), restarted ? Calls({kGenerate, kUnwrap}) : Calls({kGenerate}));
    StartKeys();
  }
}

TEST_F(EncryptionTest, NeedsNoKeyForAnythingElse) {
  const std::vector<std::string> events = Chain(3, kInput);
  ASSERT_TRUE(Append(events, kArn, Encrypted()).ok);
  StartKeys();
  script_.ForgetCalls();
  script_.Say(ANNALS_KEY_ACCESS_DENIED);
  PageQuery query;
  query.data = false;
  std::vector<std::string> stripped;
  for (const std::string &event : Canonicals(events)) {
    stripped.push_back(Strip(schema_, event));
  }
  EXPECT_EQ(All(query), stripped);
  EXPECT_EQ(ListAll(), (std::vector<std::string>{kArn}));
  DescribeQuery metadata;
  metadata.included_data = "METADATA_ONLY";
  Described described = Describe(metadata);
  EXPECT_TRUE(described.ok);
  EXPECT_EQ(described.members["kms_key_id"], "alias/orders");
  EXPECT_EQ(described.members.count("input"), 0U);
  EXPECT_TRUE(Delete().ok);
  EXPECT_EQ(script_.calls(), Calls());
}

TEST_F(EncryptionTest, DescribesWithTheKey) {
  ASSERT_TRUE(Append(Chain(3, kInput), kArn, Encrypted()).ok);
  ASSERT_TRUE(Append({Succeeded(4, 200)}).ok);
  Described described = Describe();
  ASSERT_TRUE(described.ok) << described.message;
  EXPECT_EQ(described.members["status"], "SUCCEEDED");
  StartKeys();
  script_.Say(ANNALS_KEY_INVALID_STATE, "DISABLED");
  described = Describe();
  EXPECT_EQ(described.reason, "KMS_INVALID_STATE");
  EXPECT_EQ(described.metadata["kms_key_state"], "DISABLED");
}

TEST_F(EncryptionTest, UsesADataKeyForItsReusePeriod) {
  ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted(60)).ok);
  Pass(59);
  ASSERT_TRUE(Append({Entered(2, 101, kInput)}).ok);
  EXPECT_EQ(script_.calls(), Calls({kGenerate}));
  Pass(2);
  ASSERT_TRUE(Append({Entered(3, 102, kInput)}).ok);
  ASSERT_TRUE(Append({Entered(4, 103, kInput)}).ok);
  EXPECT_EQ(script_.calls(), Calls({kGenerate, kGenerate}));
  EXPECT_EQ(DataKeys(), (std::vector<int64_t>{1, 1, 2, 2}));
  Pass(61);
  EXPECT_EQ(All(), Canonicals({Started(100), Entered(2, 101, kInput), Entered(3, 102, kInput),
                               Entered(4, 103, kInput)}));
  EXPECT_EQ(script_.calls(), Calls({kGenerate, kGenerate, kUnwrap, kUnwrap}));
}

TEST_F(EncryptionTest, GoesOnWithTheDataKeyAfterARestart) {
  ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted(60)).ok);
  StartKeys();
  ASSERT_TRUE(Append({Entered(2, 101, kInput)}).ok);
  EXPECT_EQ(script_.calls(), Calls({kGenerate, kUnwrap}));
  EXPECT_EQ(DataKeys(), (std::vector<int64_t>{1, 1}));
}

TEST_F(EncryptionTest, ReadsPagesOfManyDataKeys) {
  std::vector<std::string> events;
  for (int64_t id = 1; id <= 20; id++) {
    events.push_back(id == 1 ? Started(100) : Entered(id, 100 + id, kInput));
    ASSERT_TRUE(Append({events.back()}, kArn, id == 1 ? Encrypted(60) : FirstAppend{}).ok);
    Pass(61);
  }
  EXPECT_EQ(DataKeys().back(), 20);
  Paged first = Page();
  EXPECT_EQ(first.events.size(), static_cast<size_t>(ANNALS_DECRYPTOR_KEYS_MAX));
  EXPECT_NE(first.token, "");
  EXPECT_EQ(All(), Canonicals(events));
  /* And a retry of them all. */
  Appended retried = Append(events);
  EXPECT_TRUE(retried.ok) << retried.message;
  EXPECT_EQ(retried.already_stored, 20);
}

TEST_F(EncryptionTest, AsksForNoRecordOfAKeyThatItHas) {
  ASSERT_TRUE(Append(Chain(3, kInput), kArn, Encrypted()).ok);
  EXPECT_EQ(All(), Canonicals(Chain(3, kInput)));
  const int reads = annals_faulty_store_calls(store_, ANNALS_FAULTY_READ);
  const int records = annals_faulty_store_calls(store_, ANNALS_FAULTY_GET_DATA_KEY);
  EXPECT_EQ(All(), Canonicals(Chain(3, kInput)));
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_READ), reads + 1);
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_GET_DATA_KEY), records);
  Pass(61);
  EXPECT_EQ(All(), Canonicals(Chain(3, kInput)));
  EXPECT_EQ(annals_faulty_store_calls(store_, ANNALS_FAULTY_GET_DATA_KEY), records + 2)
      << "one to ask with, and one behind it";
}

TEST_F(EncryptionTest, TakesRetriesByWhatTheyMean) {
  const std::vector<std::string> events = Chain(5, kInput);
  ASSERT_TRUE(Append(events, kArn, Encrypted()).ok);
  Appended again = Append(events, kArn, Encrypted());
  EXPECT_TRUE(again.ok) << again.message;
  EXPECT_EQ(again.already_stored, 5);
  std::vector<std::string> more = Chain(7, kInput);
  again = Append({more.begin() + 3, more.end()});
  EXPECT_EQ(again.already_stored, 2);
  EXPECT_EQ(again.appended, 2);
  std::vector<std::string> others = Chain(5, "{\"other\":1}");
  EXPECT_EQ(Append(others).reason, "EVENT_CONFLICT");
  EXPECT_EQ(All(), Canonicals(more));
  StartKeys();
  script_.Say(ANNALS_KEY_THROTTLED);
  EXPECT_EQ(Append(events).reason, "KMS_THROTTLED");
}

TEST_F(EncryptionTest, SaysWhatTheKeyServiceSays) {
  const struct {
    annals_key_status status;
    const char *state;
    const char *reason;
  } cases[] = {
      {ANNALS_KEY_ACCESS_DENIED, nullptr, "KMS_ACCESS_DENIED"},
      {ANNALS_KEY_INVALID_STATE, "PENDING_DELETION", "KMS_INVALID_STATE"},
      {ANNALS_KEY_THROTTLED, nullptr, "KMS_THROTTLED"},
      {ANNALS_KEY_UNAVAILABLE, nullptr, "KMS_UNAVAILABLE"},
      {ANNALS_KEY_MISMATCH, nullptr, "DATA_CORRUPTED"},
  };
  ASSERT_TRUE(Append(Chain(3, kInput), kArn, Encrypted()).ok);
  for (const auto &it : cases) {
    StartKeys();
    script_.Say(it.status, it.state);
    Paged page = Page();
    EXPECT_EQ(page.reason, it.reason);
    EXPECT_EQ(page.bytes, "") << "half a page";
    EXPECT_EQ(page.metadata["kms_key_state"], it.state != nullptr ? it.state : "");
    EXPECT_EQ(Append({Entered(4, 200, kInput)}).reason, it.reason);
    EXPECT_EQ(Append(Chain(2), std::string(kArn) + "2", Encrypted()).reason, it.reason);
    script_.Say(ANNALS_KEY_OK);
    EXPECT_EQ(All(), Canonicals(Chain(3, kInput)));
  }
  Outcome missing = Describe(DescribeQuery{std::string(kArn) + "2", {}});
  EXPECT_EQ(missing.reason, "EXECUTION_DOES_NOT_EXIST");
}

TEST_F(EncryptionTest, IsToldWhereThereAreNoKeys) {
  ASSERT_TRUE(Append(Chain(3, kInput), kArn, Encrypted()).ok);
  Close();
  options_.data_keys = nullptr;
  Open();
  EXPECT_EQ(Page().reason, "KMS_NOT_CONFIGURED");
  EXPECT_EQ(Append({Entered(4, 200)}).reason, "KMS_NOT_CONFIGURED");
  EXPECT_EQ(Append(Chain(1), std::string(kArn) + "2", Encrypted()).reason, "KMS_NOT_CONFIGURED");
  PageQuery query;
  query.data = false;
  EXPECT_TRUE(Page(query).ok);
}

TEST_F(EncryptionTest, ChecksTheConfiguration) {
  auto refused = [&](int type, const std::string &key, int32_t seconds) {
    FirstAppend first;
    first.encryption_type = type;
    first.kms_key_id = key;
    first.reuse_seconds = seconds;
    Appended appended = Append({Started()}, kArn, first);
    EXPECT_EQ(appended.reason, "INVALID_REQUEST");
    return appended.metadata["field"];
  };
  EXPECT_EQ(refused(0, "", 0), "encryption_configuration.type");
  EXPECT_EQ(refused(3, "k", 0), "encryption_configuration.type");
  EXPECT_EQ(refused(2, "", 0), "encryption_configuration.kms_key_id");
  EXPECT_EQ(refused(1, "k", 0), "encryption_configuration.kms_key_id");
  EXPECT_EQ(refused(2, std::string(2049, 'k'), 0), "encryption_configuration.kms_key_id");
  const std::string period = "encryption_configuration.kms_data_key_reuse_period_seconds";
  EXPECT_EQ(refused(2, "k", 59), period);
  EXPECT_EQ(refused(2, "k", 901), period);
  EXPECT_EQ(refused(1, "", 60), period);
}

TEST_F(EncryptionTest, MayRepeatAndNotChangeTheConfiguration) {
  ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted(60)).ok);
  EXPECT_TRUE(Append({Entered(2, 101)}, kArn, Encrypted(60)).ok);
  EXPECT_TRUE(Append({Entered(3, 102)}, kArn, Encrypted(0)).ok);
  FirstAppend other = Encrypted(60);
  other.kms_key_id = "alias/other";
  EXPECT_EQ(Append({Entered(4, 103)}, kArn, other).metadata["field"], "encryption_configuration");
  EXPECT_EQ(Append({Entered(4, 103)}, kArn, Encrypted(61)).metadata["field"],
            "encryption_configuration");
  FirstAppend owned;
  owned.encryption_type = ANNALS_ENCRYPTION_AWS_OWNED_KEY;
  EXPECT_EQ(Append({Entered(4, 103)}, kArn, owned).metadata["field"], "encryption_configuration");
  EXPECT_TRUE(Append({Started(100)}, std::string(kArn) + "2", owned).ok);
  EXPECT_EQ(Append({Entered(2, 103)}, std::string(kArn) + "2", Encrypted()).metadata["field"],
            "encryption_configuration");
}

TEST_F(EncryptionTest, TakesTheConfigurationOfTheStateMachine) {
  SetPolicy(kStateMachine, "alias/orders 120");
  ASSERT_TRUE(Append(Chain(2, kInput)).ok);
  EXPECT_EQ(script_.calls(), Calls({kGenerate}));
  EXPECT_EQ(Describe().members["kms_key_id"], "alias/orders");
  EXPECT_EQ(Stored().find("MARKED"), std::string::npos);
  /* What the first append says counts. */
  FirstAppend owned;
  owned.encryption_type = ANNALS_ENCRYPTION_AWS_OWNED_KEY;
  ASSERT_TRUE(Append(Chain(2), std::string(kArn) + "2", owned).ok);
  EXPECT_EQ(Describe(DescribeQuery{std::string(kArn) + "2", {}}).members.count("kms_key_id"), 0U);
  /* As does the state machine that it names. */
  FirstAppend other;
  other.state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:other";
  ASSERT_TRUE(Append(Chain(2), std::string(kArn) + "3", other).ok);
  EXPECT_EQ(Describe(DescribeQuery{std::string(kArn) + "3", {}}).members.count("kms_key_id"), 0U);
  /* One that there is stays as it is. */
  SetPolicy("*", "alias/other");
  ASSERT_TRUE(Append({Entered(3, 200)}).ok);
  EXPECT_EQ(Describe().members["kms_key_id"], "alias/orders");
}

TEST_F(EncryptionTest, HasNewDataKeysForAnExecutionThatIsBegunAnew) {
  ASSERT_TRUE(Append(Chain(2, kInput), kArn, Encrypted()).ok);
  const std::string first = Stored();
  ASSERT_TRUE(Delete().ok);
  ASSERT_TRUE(Append(Chain(2, kInput), kArn, Encrypted()).ok);
  EXPECT_EQ(script_.calls(), Calls({kGenerate, kGenerate}));
  EXPECT_EQ(All(), Canonicals(Chain(2, kInput)));
  ASSERT_TRUE(Delete().ok);
  ASSERT_TRUE(Append(Chain(2, kInput)).ok);
  EXPECT_EQ(DataKeys(), std::vector<int64_t>(2, 0));
}

TEST_F(EncryptionTest, WaitsForAKeyWithoutKeepingOthersWaiting) {
  script_.Hold(true);
  std::future<Appended> encrypted =
      std::async(std::launch::async, [&] { return Append(Chain(2, kInput), kArn, Encrypted()); });
  script_.WaitForHeld(1);
  EXPECT_TRUE(Append(Chain(2), std::string(kArn) + "2").ok);
  EXPECT_EQ(Page().reason, "EXECUTION_DOES_NOT_EXIST") << "stored before its key is there";
  script_.Hold(false);
  EXPECT_TRUE(encrypted.get().ok);
  StartKeys();
  script_.Hold(true);
  std::future<Paged> page = std::async(std::launch::async, [&] { return Page(); });
  script_.WaitForHeld(1);
  PageQuery query;
  query.arn = std::string(kArn) + "2";
  EXPECT_TRUE(Page(query).ok);
  script_.Hold(false);
  EXPECT_EQ(page.get().events, Canonicals(Chain(2, kInput)));
}

TEST_F(EncryptionTest, AppendsToWhatThereIsWhenItsKeyComes) {
  const std::vector<std::string> events = Chain(3, kInput);
  const std::vector<std::string> first(events.begin(), events.end() - 1);
  ASSERT_TRUE(Append(first, kArn, Encrypted()).ok);
  StartKeys();
  script_.Hold(true);
  std::future<Appended> appended =
      std::async(std::launch::async, [&] { return Append({events.back()}); });
  script_.WaitForHeld(1);
  ASSERT_TRUE(Delete().ok);
  ASSERT_TRUE(Append(first).ok) << "another execution, with as many events";
  script_.Hold(false);
  EXPECT_TRUE(appended.get().ok);
  EXPECT_EQ(All(), Canonicals(events));
  EXPECT_EQ(DataKeys(), std::vector<int64_t>(3, 0)) << "it is not encrypted";
}

TEST_F(EncryptionTest, EndsWhereNobodyWaitsForTheKey) {
  script_.Hold(true);
  annals_cancel cancel = {};
  cancel_ = &cancel;
  std::future<Appended> appended =
      std::async(std::launch::async, [&] { return Append(Chain(2, kInput), kArn, Encrypted()); });
  script_.WaitForHeld(1);
  annals_cancel_now(&cancel);
  script_.Hold(false);
  EXPECT_EQ(appended.get().reason, "CANCELLED");
  cancel_ = nullptr;
  EXPECT_EQ(Page().reason, "EXECUTION_DOES_NOT_EXIST");
}

TEST_F(EncryptionTest, KeepsDataKeysInOneStepWithEvents) {
  annals_fault fault = {};
  fault.operations = ANNALS_FAULTY_APPEND;
  fault.times = 1;
  fault.outcome = ANNALS_STORE_UNKNOWN;
  fault.done = true;
  annals_faulty_store_inject(store_, &fault);
  EXPECT_EQ(Append(Chain(2, kInput), kArn, Encrypted()).reason, "OUTCOME_UNKNOWN");
  StartKeys();
  EXPECT_EQ(All(), Canonicals(Chain(2, kInput)));
  EXPECT_EQ(Append(Chain(2, kInput), kArn, Encrypted()).already_stored, 2);
}

TEST_F(EncryptionTest, WorksWhereTheStoreIsSlow) {
  annals_faulty_store_set_pending(store_, true);
  ASSERT_TRUE(Append(Chain(5, kInput), kArn, Encrypted()).ok);
  EXPECT_EQ(All(), Canonicals(Chain(5, kInput)));
  EXPECT_EQ(Append(Chain(5, kInput)).already_stored, 5);
  EXPECT_EQ(Describe().members["status"], "RUNNING");
}

/* As keys are rotated: what the old one has wrapped is its own, until it is rewrapped. */
TEST_F(EncryptionTest, IsReadWhenItsAliasStandsForAnotherKey) {
  ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted()).ok);
  script_.Repoint("key/2");
  StartKeys();
  EXPECT_EQ(All(), Canonicals({Started(100)}));
  EXPECT_EQ(Rekey(history_, false).count, 1);
  script_.ForgetCalls();
  EXPECT_EQ(All(), Canonicals({Started(100)}));
  EXPECT_EQ(script_.calls().at(0).find("unwrap key/2 aws:states:executionArn="), 0U);
}

TEST_F(EncryptionTest, IsRewrapped) {
  ASSERT_TRUE(Append({Started(100)}, kArn, Encrypted(60)).ok);
  Pass(61);
  ASSERT_TRUE(Append({Entered(2, 101, kInput)}).ok);
  const std::string before = Stored();
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(store_, pending);
    script_.ForgetCalls();
    Rekeyed rekeyed = Rekey(history_, false);
    EXPECT_TRUE(rekeyed.ok) << rekeyed.reason;
    EXPECT_EQ(rekeyed.count, 2);
    EXPECT_EQ(script_.calls().size(), 2U);
    EXPECT_EQ(script_.calls().front().find("rewrap alias/orders aws:states:executionArn="), 0U);
    EXPECT_EQ(Stored(), before) << "events are changed";
    script_.ForgetCalls();
    EXPECT_EQ(All(), Canonicals({Started(100), Entered(2, 101, kInput)}));
    EXPECT_EQ(script_.calls(), Calls({kUnwrap, kUnwrap})) << "old keys are in memory";
  }
  ASSERT_TRUE(Append({Entered(3, 102, kInput)}).ok);
  EXPECT_EQ(DataKeys(), (std::vector<int64_t>{1, 2, 2}));
  StartKeys();
  script_.Say(ANNALS_KEY_ACCESS_DENIED);
  EXPECT_EQ(Rekey(history_, false).reason, "KMS_ACCESS_DENIED");
}

TEST_F(EncryptionTest, ChangesDataKeysOfOneExecutionAtATime) {
  ASSERT_TRUE(Append(Chain(2, kInput), kArn, Encrypted()).ok);
  script_.Hold(true);
  std::future<Rekeyed> rewrapped =
      std::async(std::launch::async, [&] { return Rekey(history_, false); });
  script_.WaitForHeld(1);
  EXPECT_EQ(Rekey(history_, true).reason, "ALREADY_RUNNING");
  script_.Hold(false);
  EXPECT_EQ(rewrapped.get().count, 1);
  EXPECT_EQ(Rekey(history_, true).count, 1);
  EXPECT_EQ(Rekey(history_, true, std::string(kArn) + "2").reason, "EXECUTION_DOES_NOT_EXIST");
  ASSERT_TRUE(Append(Chain(2), std::string(kArn) + "2").ok);
  EXPECT_EQ(Rekey(history_, true, std::string(kArn) + "2").reason, "INVALID_REQUEST");
  EXPECT_EQ(Rekey(history_, true, "arn").reason, "INVALID_ARN");
}

struct Watching {
  std::promise<void> turn;
  std::string frames;
};

/* Reads all that a watch gives until it waits or ends. */
std::string Watch(annals_history *history, std::string *ret_reason) {
  Watching watching;
  annals_watch watch = {};
  watch.request.execution_arn = kArn;
  watch.owner = &watching;
  watch.encode = [](annals_watch *it, const annals_frame *frame) {
    annals_buffer_append(&it->events, frame->bytes, frame->size);
    return !it->events.failed;
  };
  watch.on_read = [](annals_watch *it) { static_cast<Watching *>(it->owner)->turn.set_value(); };
  watch.on_change = [](annals_watch *) {};
  annals_watch_progress progress = annals_watch_begin(history, &watch);
  while (progress == ANNALS_WATCH_EVENTS || progress == ANNALS_WATCH_READING) {
    if (progress == ANNALS_WATCH_READING) {
      watching.turn.get_future().wait();
      watching.turn = std::promise<void>();
    } else {
      watching.frames.append(reinterpret_cast<const char *>(watch.events.data), watch.events.len);
      annals_buffer_reset(&watch.events);
    }
    progress = annals_watch_next(&watch);
  }
  *ret_reason =
      watch.error != nullptr ? annals_reason_info(annals_error_reason(watch.error))->name : "";
  annals_watch_clear(&watch);
  return watching.frames;
}

TEST_F(EncryptionTest, IsWatched) {
  std::string all;
  ASSERT_TRUE(Append(Chain(300, kInput), kArn, Encrypted()).ok);
  Pass(61);
  ASSERT_TRUE(Append({Entered(301, 1000, kInput), Succeeded(302, 1000)}).ok);
  for (const std::string &event : All()) {
    all += Bytes(1, event);
  }
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(store_, pending);
    std::string reason;
    EXPECT_EQ(Watch(history_, &reason), all);
    EXPECT_EQ(reason, "");
  }
  StartKeys();
  script_.Say(ANNALS_KEY_ACCESS_DENIED);
  std::string reason;
  EXPECT_EQ(Watch(history_, &reason), "");
  EXPECT_EQ(reason, "KMS_ACCESS_DENIED");
}

}  // namespace
}  // namespace annals_test
