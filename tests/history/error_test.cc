#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "server/history/error.h"
#include "server/history/history.h"
}

namespace {

TEST(Error, CarriesWhatProgramsNeed) {
  GError *error = annals_error_new(ANNALS_REASON_EVENT_GAP, "gap at %d", 5);
  annals_error_add_metadata(error, "expected_event_id", "%d", 4);
  annals_error_add_violation(error, "events[0].id", nullptr, "Member must follow");
  GError *copy = g_error_copy(error);
  g_error_free(error);
  EXPECT_EQ(annals_error_reason(copy), ANNALS_REASON_EVENT_GAP);
  EXPECT_STREQ(copy->message, "gap at 5");
  EXPECT_STREQ(annals_error_metadata_value(copy, "expected_event_id"), "4");
  EXPECT_EQ(annals_error_metadata_value(copy, "event_id"), nullptr);
  ASSERT_EQ(annals_error_violations(copy)->len, 1U);
  g_error_free(copy);
}

TEST(Error, OfAnotherDomainIsInternal) {
  GError *error = g_error_new(G_FILE_ERROR, G_FILE_ERROR_NOENT, "no file");
  EXPECT_EQ(annals_error_reason(error), ANNALS_REASON_INTERNAL);
  g_error_free(error);
}

/* What the engine says may name files: it goes to the log and not to clients. */
TEST(Error, OfTheStoreKeepsWhatTheEngineSaysForTheLog) {
  annals_store_op op = {};
  op.outcome = ANNALS_STORE_UNAVAILABLE;
  g_strlcpy(op.detail, "/data/000012.log: I/O error", sizeof op.detail);
  GError *write = annals_history_write_error(&op);
  EXPECT_EQ(annals_error_reason(write), ANNALS_REASON_WRITES_STOPPED);
  EXPECT_STREQ(write->message,
               "the store takes no writes until it is restarted; nothing was changed");
  EXPECT_STREQ(annals_error_detail(write), op.detail);
  GError *read = annals_history_read_error(&op);
  EXPECT_EQ(annals_error_reason(read), ANNALS_REASON_INTERNAL);
  EXPECT_STREQ(read->message, "the store cannot be read");
  EXPECT_STREQ(annals_error_detail(read), op.detail);
  op.detail[0] = '\0';
  GError *bare = annals_history_read_error(&op);
  EXPECT_STREQ(annals_error_detail(bare), "the store cannot be read");
  EXPECT_STREQ(annals_error_log_detail(bare), bare->message);
  g_error_free(write);
  g_error_free(read);
  g_error_free(bare);
}

TEST(Error, OfARequestTheLogSaysOnlyWhatWasMeantForIt) {
  GError *error = annals_error_new(ANNALS_REASON_BACKUP_FAILED, "it quotes the request");
  EXPECT_EQ(annals_error_log_detail(error), nullptr);
  annals_error_set_detail(error, "meant for the log");
  EXPECT_STREQ(annals_error_log_detail(error), "meant for the log");
  g_error_free(error);
  GError *foreign = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "foreign");
  EXPECT_EQ(annals_error_log_detail(foreign), nullptr);
  g_error_free(foreign);
}

}  // namespace
