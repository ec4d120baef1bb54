#include <glib/gstdio.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

extern "C" {
#include "server/history/page_token.h"
}

namespace {

const char kArn[] = "arn:aws:states:us-east-1:123456789012:execution:m:n";
const char kOldKey[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const char kNewKey[] = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";

class PageTokenTest : public testing::Test {
 protected:
  PageTokenTest() {
    char *dir = g_dir_make_tmp("annals-token-XXXXXX", nullptr);
    dir_ = dir;
    path_ = dir_ + "/key";
    g_free(dir);
  }
  ~PageTokenTest() override {
    g_unlink(path_.c_str());
    g_rmdir(dir_.c_str());
  }
  annals_token_key *Key(const std::string &text) {
    EXPECT_TRUE(g_file_set_contents(path_.c_str(), text.data(), (gssize)text.size(), nullptr));
    g_autoptr(GError) error = nullptr;
    annals_token_key *key = annals_token_key_load(path_.c_str(), &error);
    message_ = error != nullptr ? error->message : "";
    return key;
  }
  static std::string Write(const annals_token_key *key) {
    annals_page_token token = {1700000000123, 5, 6, true, false, 77};
    g_autofree char *text = annals_page_token_write(key, kArn, &token);
    return text;
  }
  std::string dir_, path_, message_;
};

TEST_F(PageTokenTest, ReadsWhatItWrote) {
  annals_token_key *key = Key(kOldKey);
  annals_page_token token;
  ASSERT_TRUE(annals_page_token_read(key, kArn, Write(key).c_str(), &token));
  EXPECT_EQ(token.issued_at_ms, 1700000000123);
  EXPECT_EQ(token.start_seconds, 5);
  EXPECT_EQ(token.start_nanos, 6);
  EXPECT_TRUE(token.reverse_order);
  EXPECT_FALSE(token.include_execution_data);
  EXPECT_EQ(token.next_event_id, 77);
  EXPECT_FALSE(annals_page_token_read(key, "another", Write(key).c_str(), &token));
  annals_token_key_free(key);
}

TEST_F(PageTokenTest, ListingsHaveTheirOwn) {
  annals_token_key *key = Key(kOldKey);
  annals_listing_token token = {1700000000123, "elevenbytes", ""};
  g_strlcpy(token.execution_arn, kArn, sizeof token.execution_arn);
  g_autofree char *text = annals_listing_token_write(key, "arguments", &token);
  annals_listing_token read = {};
  ASSERT_TRUE(annals_listing_token_read(key, "arguments", text, &read));
  EXPECT_EQ(read.issued_at_ms, 1700000000123);
  EXPECT_EQ(memcmp(read.rank, token.rank, sizeof read.rank), 0);
  EXPECT_STREQ(read.execution_arn, kArn);
  EXPECT_FALSE(annals_listing_token_read(key, "other arguments", text, &read));
  /* Not even of the same subject is one kind taken for the other. */
  annals_page_token page;
  EXPECT_FALSE(annals_page_token_read(key, "arguments", text, &page));
  EXPECT_FALSE(annals_listing_token_read(key, kArn, Write(key).c_str(), &read));
  annals_token_key_free(key);
}

TEST_F(PageTokenTest, OldKeysAreAcceptedAndTheFirstSigns) {
  annals_token_key *before = Key(kOldKey);
  annals_token_key *rotated = Key(std::string(kNewKey) + "\n\n" + kOldKey + "\n");
  annals_token_key *after = Key(kNewKey);
  annals_page_token token;
  EXPECT_TRUE(annals_page_token_read(rotated, kArn, Write(before).c_str(), &token));
  EXPECT_TRUE(annals_page_token_read(after, kArn, Write(rotated).c_str(), &token));
  EXPECT_FALSE(annals_page_token_read(after, kArn, Write(before).c_str(), &token));
  annals_token_key_free(before);
  annals_token_key_free(rotated);
  annals_token_key_free(after);
}

TEST_F(PageTokenTest, KeysAreExchangedWhileTokensAreRead) {
  annals_token_key *key = Key(kOldKey);
  const std::string old_token = Write(key);
  std::atomic<bool> stop{false};
  std::thread reading([&] {
    annals_page_token token;
    while (!stop) {
      EXPECT_TRUE(annals_page_token_read(key, kArn, old_token.c_str(), &token));
    }
  });
  const std::string rotated = std::string(kNewKey) + "\n" + kOldKey;
  for (int i = 0; i < 20; i++) {
    ASSERT_TRUE(g_file_set_contents(path_.c_str(), rotated.c_str(), -1, nullptr));
    EXPECT_TRUE(annals_token_key_reload(key, nullptr));
  }
  stop = true;
  reading.join();

  ASSERT_TRUE(g_file_set_contents(path_.c_str(), "no key", -1, nullptr));
  g_autoptr(GError) error = nullptr;
  EXPECT_FALSE(annals_token_key_reload(key, &error));
  EXPECT_EQ(error->message, path_ + ": 1 to 16 lines of 64 hex digits are expected");
  annals_page_token token;
  const std::string new_token = Write(key);
  EXPECT_TRUE(annals_page_token_read(key, kArn, old_token.c_str(), &token));
  annals_token_key *after = Key(kNewKey);
  EXPECT_TRUE(annals_page_token_read(after, kArn, new_token.c_str(), &token));
  annals_token_key_free(after);
  annals_token_key_free(key);
}

TEST_F(PageTokenTest, KeyFilesThatHoldNoKeysAreRefused) {
  for (const char *text : {"", "\n", "abc",
                           "zz0102030405060708090a0b0c0d0e0f101112131415161718191a"
                           "1b1c1d1e1f"}) {
    EXPECT_EQ(Key(text), nullptr);
    EXPECT_EQ(message_, path_ + ": 1 to 16 lines of 64 hex digits are expected");
  }
}

TEST_F(PageTokenTest, MakesAKeyThatOnlyTheOwnerReads) {
  annals_token_key *made = annals_token_key_load_or_create(path_.c_str(), nullptr);
  ASSERT_NE(made, nullptr);
  GStatBuf status;
  ASSERT_EQ(g_stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  annals_token_key *again = annals_token_key_load_or_create(path_.c_str(), nullptr);
  annals_page_token token;
  EXPECT_TRUE(annals_page_token_read(again, kArn, Write(made).c_str(), &token));
  annals_token_key_free(made);
  annals_token_key_free(again);
}

}  // namespace
